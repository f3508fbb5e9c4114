package api

import (
	"fmt"
	"slices"
	"strings"

	"hallpass/domain"
)

// mayAsk refuses a caller who may not know of the tokens.
func (k *bulk) mayAsk() error {
	may := func(n domain.Need) error {
		if k.by.Authority.May(k.Account, n) {
			return nil
		}
		return domain.Errorf(domain.CodeForbidden, "this takes %s on %s in the account %s; nothing was changed", n.Action, n.Resource, k.Account)
	}
	for _, id := range k.Select.IDs {
		if err := may(domain.TokenNeed("DeleteToken", id)); err != nil {
			return err
		}
	}
	f := &k.Select
	if len(f.IDs) == 0 || f.TagKey != "" || f.Name != "" || f.IssuedBy != (domain.Actor{}) || f.IssuedBefore != 0 || f.Lineage != "" {
		return may(domain.TokenNeed("ListTokens", ""))
	}
	return nil
}

// exist refuses an account and ids that there are none of.
func (k *bulk) exist() error {
	if _, ok := k.proj.Directory.Account(k.Account); !ok {
		return domain.Errorf(domain.CodeNotFound, "there is no account %s", k.Account)
	}
	var unknown []domain.Field
	for i, id := range k.Select.IDs {
		if _, ok := k.proj.Directory.Token(k.Account, id); !ok {
			named := "it names"
			if !strings.Contains(string(id), "hp_") { // else it may be a secret
				named = string(id) + " is"
			}
			unknown = append(unknown, domain.Field{Pointer: fmt.Sprintf("/ids/%d", i), Detail: named + " no token of the account"})
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return &domain.Error{Code: domain.CodeNotFound, Fields: unknown,
		Detail: fmt.Sprintf("%d of the %d ids are no tokens of the account %s; nothing was changed", len(unknown), len(k.Select.IDs), k.Account)}
}

// mayEach refuses unless the caller may revoke every one of the tokens.
func (k *bulk) mayEach(tokens []*domain.Token) error {
	for _, t := range tokens {
		if n := domain.TokenNeed("DeleteToken", t.ID); !k.by.Authority.May(k.Account, n) {
			return domain.Errorf(domain.CodeForbidden, "this takes %s on each of the tokens, and is not given on %s in the account %s", n.Action, n.Resource, k.Account)
		}
	}
	return nil
}

// checkReason refuses a reason that no token could be revoked for.
func (k *bulk) checkReason() error {
	some := domain.State{Account: domain.Account{ID: k.Account, State: domain.AccountIsOpen}, Token: domain.Token{Generation: 1}}
	_, err := domain.Decide(some, domain.RevokeToken{Account: k.Account, Token: "some", Reason: k.Reason}, domain.Operator(0), k.now())
	return err
}

// keepsManager refuses to leave the account without a token that could manage
// its tokens. It goes by what this node knows: of two bulks at once both may pass.
func (k *bulk) keepsManager(todo []*domain.Token) error {
	account, _ := k.proj.Directory.Account(k.Account)
	managers := k.proj.Directory.Managers(k.Account, k.now())
	if k.Force || account.ManagedBy != domain.AnyToken || len(managers) == 0 {
		return nil
	}
	in := make(map[domain.TokenID]struct{}, len(todo))
	for _, t := range todo {
		in[t.ID] = struct{}{}
	}
	if slices.ContainsFunc(managers, func(id domain.TokenID) bool { _, ok := in[id]; return !ok }) {
		return nil
	}
	return domain.Errorf(domain.CodeLastManager, "all tokens that could issue, edit and revoke the tokens of the account %s are among them; say force to do it all the same", k.Account)
}
