package conformance

import (
	"context"
	"sync"

	"github.com/acme-e2e/acme-e2e/conformance/internal/suite"
)

// run runs the planned cases, at most jobs at once, and those that want to be
// alone by themselves at the end. progress is called after each, never twice at
// once.
func (p Plan) run(ctx context.Context, cases []suite.Case, progress func(suite.Result)) []suite.Result {
	var mu sync.Mutex
	var results []suite.Result
	note := func(r suite.Result) {
		mu.Lock()
		defer mu.Unlock()
		results = append(results, r)
		if progress != nil {
			progress(r)
		}
	}
	var alone []suite.Case
	queue := make(chan suite.Case)
	var workers sync.WaitGroup
	for range p.Jobs {
		workers.Go(func() {
			for c := range queue {
				note(suite.Run(ctx, c, p.Timeout))
			}
		})
	}
	for _, c := range cases {
		if c.Alone {
			alone = append(alone, c)
			continue
		}
		queue <- c
	}
	close(queue)
	workers.Wait()
	for _, c := range alone {
		note(suite.Run(ctx, c, p.Timeout))
	}
	return results
}
