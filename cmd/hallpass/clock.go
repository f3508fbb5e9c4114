//go:build !hallpass_testclock

package main

import (
	"github.com/spf13/cobra"

	"hallpass/domain"
	"hallpass/eventstore"
)

// clock is the machine's. A build for tests has one that can be set.
type clock struct{}

func (clock) flags(*cobra.Command) {}

// now is nil: the machine's.
func (clock) now() func() domain.Instant { return nil }

func (clock) of(log *eventstore.JetStream) eventstore.Log { return log }
