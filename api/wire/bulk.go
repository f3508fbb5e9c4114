package wire

import "time"

// RevokeTokens is the body of POST …/tokens/revoke. A token is revoked if it
// fits all that is given.
type RevokeTokens struct {
	IDs          []string   `json:"ids,omitempty" maxItems:"10000" doc:"One of these. Ids that no token has are refused."`
	Tag          string     `json:"tag,omitempty" doc:"With this tag: key, or key:value."`
	Name         string     `json:"name,omitempty" doc:"With a name that starts so."`
	Issuer       string     `json:"issuer,omitempty" doc:"Issued by this token: account/token, as in issued_by."`
	IssuedBefore *time.Time `json:"issued_before,omitempty" nullable:"true" doc:"Issued before then."`
	Lineage      string     `json:"lineage,omitempty" doc:"This token, and all that were derived from it or from those."`
	DryRun       bool       `json:"dry_run,omitempty" doc:"Only say which."`
	Expect       *int64     `json:"expect,omitempty" minimum:"0" nullable:"true" doc:"How many there must be, else nothing is done."`
	Force        bool       `json:"force,omitempty" doc:"Though no token is left that could manage the account's tokens."`
	Reason       string     `json:"reason,omitempty" enum:"unspecified,compromised,superseded,no_longer_needed,owner_left,policy" doc:"Why; default unspecified."`
	Text         string     `json:"reason_text,omitempty" maxLength:"512" doc:"More of it."`
	Wait         string     `json:"wait,omitempty" enum:"all,commit" doc:"What to wait for before the answer; default all."`
}

// RevokedTokens answers POST …/tokens/revoke.
type RevokedTokens struct {
	Bulk        string   `json:"bulk" doc:"Names this call, in the record of each token that it revoked; empty in a dry run."`
	DryRun      bool     `json:"dry_run"`
	Matched     int      `json:"matched" doc:"Tokens that fitted when it began, without those that were revoked already."`
	Revoked     int      `json:"revoked" doc:"Tokens that this call revoked, those that came to fit while it went on included."`
	Already     int      `json:"already" doc:"Tokens named in ids that were revoked before, and tokens that others revoked, or ended, while it went on."`
	CountMissed bool     `json:"count_missed,omitempty" doc:"There were as many as expect says when it began, and others while it went on."`
	IDs         []string `json:"ids" doc:"The first 1000 of those revoked; of a dry run, of those that would be."`
	Revision    uint64   `json:"revision" doc:"Of the last record written; of the newest that had to be there, where nothing was left to do."`
	Receipt     *Receipt `json:"receipt,omitempty" doc:"That covers all of them; not with wait commit."`
}

// Progress is a line of a streamed answer, while the work goes on.
type Progress struct {
	Revoked int `json:"revoked" doc:"Tokens revoked so far."`
	Of      int `json:"of" doc:"And how many there will be, as far as known."`
}
