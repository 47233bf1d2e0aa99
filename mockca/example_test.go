package mockca_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

// A test has mockca.New(t, mockca.Options{}); a program, such as this one, Start.
func ExampleStart() {
	ca, err := mockca.Start(context.Background(), mockca.Options{Validation: mockca.Validation{Off: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ca.Close()
	resp, err := ca.Client().Get(ca.DirectoryURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, ca.Transcript().Count(mockca.Directory))
	// Output: 200 1
}

// The answer to the first finalize is lost; then the CA is down for two
// requests to newOrder, but not for the first one.
func ExampleCA_Inject() {
	ca, _ := mockca.Start(context.Background(), mockca.Options{})
	defer ca.Close()
	ca.Inject(mockca.FinalizeLost("reset"))
	id, err := ca.AddRule(mockca.Rule{Fault: mockca.Status503(5 * time.Second), Times: 2, When: mockca.When{Endpoint: mockca.NewOrder, Skip: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range ca.Rules() {
		fmt.Println(r.Rule.Fault, r.Hits)
	}
	ca.RemoveRule(id)
	// Output:
	// finalize-lost:reset 0
	// status-503:5s 0
}

// Faults have names, for command lines and files.
func ExampleParseFault() {
	f, err := mockca.ParseFault("order-processing:90s")
	fmt.Println(f.Name, f.Params, err)
	fmt.Println(f.Duty)
	_, err = mockca.ParseFault("order-processed")
	fmt.Println(err != nil)
	// Output:
	// order-processing 1m30s <nil>
	// look again when Retry-After says so
	// true
}

// A fault of one's own is a few lines: here every answer says who it is from.
func ExampleFault() {
	ca, _ := mockca.Start(context.Background(), mockca.Options{Rules: []mockca.Rule{{Fault: mockca.Fault{
		Name: "shouting", Doc: "the directory comes in capitals", Duty: "fail: this is no ACME answer",
		Endpoints: []mockca.Endpoint{mockca.Directory},
		Response:  func(_ *mockca.Exchange, r *mockca.Response) { r.Body = bytes.ToUpper(r.Body) },
	}}}})
	defer ca.Close()
	resp, err := ca.Client().Get(ca.DirectoryURL())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode == http.StatusOK, bytes.Contains(body, []byte("NEWORDER")))
	fmt.Println(ca.Transcript().Last(mockca.Directory).Rules)
	// Output:
	// true true
	// [shouting]
}
