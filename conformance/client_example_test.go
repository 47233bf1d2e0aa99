package conformance_test

import (
	"context"
	"fmt"
	"os"

	"github.com/acme-e2e/acme-e2e/conformance"
)

// A client in any language is judged by its command line.
func ExampleRunClient() {
	profile, err := conformance.CommandProfile("./myclient", "--directory={directory}", "--ca={ca_bundle}", "--name={domain}", "--port={http_port}", "--cert={cert_file}", "--key={key_file}")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := profile.Client()
	if err != nil {
		fmt.Println("there is no such program")
		return
	}
	report, err := conformance.RunClient(context.Background(), client, conformance.Plan{Select: []string{"rfc8555/6.5"}}, conformance.Judgement{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = report.WriteHTML(os.Stdout)
	// Output: there is no such program
}
