package domain

import "slices"

// ActionGovern, named in a grant on all tokens, lifts the rule that nobody hands
// out what he may not do himself, for issuing and revealing tokens of the
// actor's own account: some platforms have tokens that rule over tokens and over
// nothing else. Neither "*" nor "write" nor a wildcard stands for it, also where
// permissions are compared: who hands it out has it by name, or may do
// everything. What was issued by it says so (TokenIssued.Wider).
const ActionGovern Action = "GovernTokens"

// governs tells whether the actor's own grants name ActionGovern. What was
// derived from a token doesn't.
func (a Authority) governs(account AccountID) bool {
	return a.Actor.Account == account && len(a.Above) == 0 && a.Permissions.namesGovern() &&
		a.Permissions.Decide(TokenNeed(string(ActionGovern), "")).Allowed()
}

// unbounded tells whether there is nothing in the actor's account that it may
// not do.
func (a Authority) unbounded() bool {
	if len(a.Permissions.Deny) > 0 || !a.grantsAllOf(&everything) {
		return false
	}
	return !slices.ContainsFunc(a.Above, func(p Permissions) bool { return len(p.Deny) > 0 })
}

// namesGovern tells whether the allow grant that decides for all tokens names
// ActionGovern: any that covers them, or the first of those where the first
// decides. One that never decides says nothing: to come by it takes no right.
func (p *Permissions) namesGovern() bool {
	for _, g := range p.Allow {
		if !g.Resource.Covers("/token") {
			continue
		}
		if slices.Contains(g.Actions, ActionGovern) {
			return true
		}
		if p.Mode == FirstMatch {
			return false
		}
	}
	return false
}

// handOutIn is handOut for a new token of the account. wider says that the
// actor could do so only because it governs.
func (a Authority) handOutIn(account AccountID, p Permissions) (_ Permissions, wider bool, _ error) {
	q, err := a.handOut(p)
	if err != nil && a.governs(account) {
		return p, true, nil
	}
	return q, false, err
}
