package wire

// LeakReport is the body of POST /v1/leaks.
type LeakReport struct {
	Secrets []string `json:"secrets" minItems:"1" maxItems:"1000" doc:"As they were found. What is no secret at all counts as unknown."`
}

// LeakAnswer answers a LeakReport.
type LeakAnswer struct {
	Reported int64    `json:"reported" doc:"How many secrets the report held."`
	Revoked  int64    `json:"revoked" doc:"How many of the results are revoked."`
	Results  []string `json:"results" enum:"revoked,unknown" doc:"In the order of the report. revoked: it worked until now, and its token is revoked. unknown: it did not work, and does not."`
}
