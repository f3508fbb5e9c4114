package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hallpass/cmd/hallpass/chaos"
)

// TestBenchRevoke runs each measurement in small. What it finds of speed is no
// measurement; that nothing passes after a revoke's answer holds all the same.
func TestBenchRevoke(t *testing.T) {
	binary, err := exec.LookPath("hallpass")
	if err != nil {
		t.Fatal(err)
	}
	b := revokeBench{
		revokes: 4, rounds: 1, samples: 2, kills: 1, idle: time.Second, dir: t.TempDir(),
		leases: []time.Duration{time.Second}, followers: []int{1, 3},
	}
	r, err := b.measure(t.Context(), &chaos.Measures{Binary: binary, Dir: b.dir, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	r.judge()
	if w := r.Well; w.Revokes != 4 || w.After == 0 || w.LastAcceptMS > 0 || w.P50 <= 0 || w.P99 < w.P50 {
		t.Errorf("all well: %+v", w)
	}
	if len(r.Cut) != 2 || len(r.Cut[0].TookMS) != 1 || len(r.RestartMS) != 1 || len(r.Applied) != 3 || len(r.Barriers) != 2 ||
		r.Kills == nil || len(r.Kills.OutageMS) != 1 {
		t.Errorf("something was not measured: %+v", r)
	}
	var out strings.Builder
	if err := b.print(&out, r, r.table); err != nil || !strings.Contains(out.String(), "barriers a second with 3 followers") {
		t.Errorf("%v: %s", err, out.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// What is missed is said, and only that.
func TestRevokeBounds(t *testing.T) {
	well := func() *revokeReport {
		return &revokeReport{
			Well: chaos.Revokes{LastAcceptMS: -1, After: 1}, RestartMS: []float64{5},
			Cut:      []chaos.Cut{{LeaseMS: 2000, How: "stopped", TookMS: []float64{1, 2200}, BoundMS: 2200}},
			Applied:  []appliedRatio{{Node: "n1", Ratio: 1.5}},
			Barriers: []barrierRate{{Followers: 3, PerSecond: 1}, {Followers: 300, PerSecond: 1.1}},
			Kills:    &chaos.Kills{Kills: 1, Checks: 10},
		}
	}
	for name, spoil := range map[string]func(*revokeReport){
		"after":    func(r *revokeReport) { r.Well.LastAcceptMS = 0.1 },
		"nothing":  func(r *revokeReport) { r.Well.After = 0 },
		"cut":      func(r *revokeReport) { r.Cut[0].TookMS[0] = 2201 },
		"restart":  func(r *revokeReport) { r.RestartMS[0] = 2000 },
		"applied":  func(r *revokeReport) { r.Applied[0].Ratio = 1.6 },
		"barriers": func(r *revokeReport) { r.Barriers[1].PerSecond = 3 },
		"kills":    func(r *revokeReport) { r.Kills.Failed = 1 },
		"":         func(*revokeReport) {},
	} {
		r := well()
		spoil(r)
		if r.judge(); len(r.Missed) != min(len(name), 1) {
			t.Errorf("%s: %q", name, r.Missed)
		}
	}
}
