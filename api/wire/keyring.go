package wire

import "time"

// Reveal is the body of POST …/reveal: nothing so far.
type Reveal struct{}

// Revealed answers POST …/reveal.
type Revealed struct {
	Account    string `json:"account"`
	ID         string `json:"id"`
	Generation uint64 `json:"generation" doc:"Counts how often the id was issued."`
	Secret     string `json:"secret" doc:"The newest one."`
	Revision   uint64 `json:"revision" doc:"Of the record that says that it was shown."`
}

// Keyring answers GET /v1/keyring.
type Keyring struct {
	Current string `json:"current" doc:"The key that this node seals new secrets with; empty if it has no keyring."`
	Keys    []Key  `json:"keys" doc:"Those that this node has, oldest first, then those that it lacks."`
}

// Key is one key of a keyring, without the key.
type Key struct {
	ID        string     `json:"id"`
	CreatedAt *time.Time `json:"created_at" doc:"Null for a key that this node lacks."`
	Current   bool       `json:"current" doc:"New secrets are sealed with it."`
	Here      bool       `json:"here" doc:"This node has it."`
	Secrets   int        `json:"secrets" doc:"Live secrets of the stream that are sealed with it, as far as this node knows: of tokens that are neither revoked nor in a closed account, older ones included while an overlap lasts."`
}
