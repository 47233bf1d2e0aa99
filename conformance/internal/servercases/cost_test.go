package servercases

import (
	"testing"
	"time"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// TestCasesKeepToTheirCost counts what each case takes of a CA, one after the
// other: no more than it says, each with its own account as when they share one.
func TestCasesKeepToTheirCost(t *testing.T) {
	t.Parallel()
	for name, share := range map[string]bool{"own accounts": false, "one account": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage{policy: everything()}
			env := s.start(t)
			env.ShareAccount = share
			total := suite.Cost{}
			paid := map[string]bool{}
			for _, c := range Cases(env) {
				if c.Alone {
					continue // changes the terms for all
				}
				cost := c.Cost
				for name, each := range c.Shares {
					if !paid[name] {
						cost, paid[name] = cost.Add(each), true
					}
				}
				total = total.Add(cost)
				accounts, orders := len(s.ca.Accounts()), len(s.ca.Orders())
				suite.Run(t.Context(), c, 30*time.Second)
				accounts, orders = len(s.ca.Accounts())-accounts, len(s.ca.Orders())-orders
				if accounts > cost.Accounts || orders > cost.Orders {
					t.Errorf("%s takes %d accounts and %d orders, and says %d and %d", c.ID, accounts, orders, cost.Accounts, cost.Orders)
				}
			}
			t.Logf("at most %d accounts and %d orders, in fact %d and %d", total.Accounts, total.Orders, len(s.ca.Accounts()), len(s.ca.Orders()))
		})
	}
}
