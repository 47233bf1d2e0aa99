package dns01

import (
	"context"

	"github.com/libdns/libdns"
)

// LibdnsProvider is what a provider of the libdns ecosystem has to offer.
type LibdnsProvider interface {
	libdns.RecordAppender
	libdns.RecordDeleter
}

// Libdns makes a Provider of one of the libdns ecosystem.
func Libdns(p LibdnsProvider) Provider { return libdnsProvider{p} }

type libdnsProvider struct{ p LibdnsProvider }

func txt(r Record) libdns.Record {
	return libdns.TXT{Name: libdns.RelativeName(r.Name, r.Zone), TTL: r.TTL, Text: r.Value}
}

func (l libdnsProvider) Append(ctx context.Context, r Record) error {
	_, err := l.p.AppendRecords(ctx, r.Zone, []libdns.Record{txt(r)})
	return err
}

func (l libdnsProvider) Remove(ctx context.Context, r Record) error {
	_, err := l.p.DeleteRecords(ctx, r.Zone, []libdns.Record{txt(r)})
	return err
}
