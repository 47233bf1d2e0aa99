package dnsserver_test

import (
	"context"
	"fmt"

	"github.com/acme-e2e/acme-e2e/mockca/dnsserver"
)

func Example() {
	d, err := dnsserver.Start(context.Background(), dnsserver.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	d.SetTXT("_acme-challenge.a.example", "the value")

	values, err := d.Resolver().LookupTXT(context.Background(), "_acme-challenge.a.example")
	fmt.Println(values, err)
	fmt.Println(d.Queries()[0].Name)
	// Output:
	// [the value] <nil>
	// _acme-challenge.a.example
}
