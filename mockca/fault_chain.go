package mockca

import (
	"strconv"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Faults of the chain that is downloaded: RFC 8555, Sections 7.4.2, 9.1 and
// 11.4; RFC 7468.

func chainFaults() []FaultInfo {
	return []FaultInfo{
		simple(ChainOutOfOrder), simple(ChainMissingIntermediate), simple(ChainUnrelated), simple(ChainWithRoot), simple(ChainSingle),
		simple(PEMGarbage), simple(PEMTextBefore), simple(PEMCRLF), simple(PEMNoFinalNewline), simple(PEMDER), simple(PEMPrivateKey), simple(PEMCRLInside),
		counted(4<<20, CertHuge),
	}
}

// bundle makes downloads wrong.
func bundle(name, doc, duty string, edit func(now time.Time) BundleEdit) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Endpoints: []Endpoint{Certificate},
		Core:      func(x *Exchange, k *Knobs) { k.Bundle = append(k.Bundle, edit(x.Time())) },
	}
}

func always(edit func() BundleEdit) func(time.Time) BundleEdit {
	return func(time.Time) BundleEdit { return edit() }
}

// ChainOutOfOrder sends the leaf last.
func ChainOutOfOrder() Fault {
	return bundle("chain-out-of-order", "the chain comes with the leaf last", "refuse it", always(issue.Reversed))
}

// ChainMissingIntermediate leaves out the leaf's issuer.
func ChainMissingIntermediate() Fault {
	return bundle("chain-missing-intermediate", "the chain lacks the leaf's issuer", "refuse it", always(issue.WithoutIntermediate))
}

// ChainUnrelated sends an intermediate that has the right name and another key.
func ChainUnrelated() Fault {
	return bundle("chain-unrelated", "the intermediate has the right name and another key", "refuse it", always(issue.UnrelatedIntermediate))
}

// ChainWithRoot sends the root too.
func ChainWithRoot() Fault {
	return bundle("chain-with-root", "the root comes at the end of the chain", "accept it, or strip the root", always(issue.WithRoot))
}

// ChainSingle issues by the root, and sends the leaf alone.
func ChainSingle() Fault {
	f := bundle("chain-single", "the leaf is by the root and comes alone", "accept it when it verifies, else report it", always(issue.LeafOnly))
	f.Requirements = []string{"RFC8555-9.1-06"}
	f.Endpoints = []Endpoint{Finalize, Certificate}
	send := f.Core
	f.Core = func(x *Exchange, k *Knobs) {
		k.Leaf = append(k.Leaf, issue.ByRoot())
		send(x, k)
	}
	return f
}

// PEMGarbage sends what is no PEM.
func PEMGarbage() Fault {
	return bundle("pem-garbage", "the download is no PEM", "refuse it", always(issue.Garbage))
}

// PEMTextBefore sends lines of text before the first certificate.
func PEMTextBefore() Fault {
	f := bundle("pem-text-before", "lines of text stand before the first certificate", "pass over them", always(issue.TextBefore))
	f.Requirements = []string{"RFC8555-9.1-07"}
	return f
}

// PEMCRLF ends lines with CR LF.
func PEMCRLF() Fault {
	f := bundle("pem-crlf", "lines end with CR LF", "carry on", always(issue.CRLF))
	f.Requirements = []string{"RFC8555-9.1-07"}
	return f
}

// PEMNoFinalNewline leaves out the last line's end.
func PEMNoFinalNewline() Fault {
	f := bundle("pem-no-final-newline", "the last line has no end", "carry on", always(issue.NoFinalNewline))
	f.Requirements = []string{"RFC8555-9.1-07"}
	return f
}

// PEMDER sends the leaf in DER.
func PEMDER() Fault {
	return bundle("pem-der", "the download is one certificate in DER", "refuse it, or read it", always(issue.AsDER))
}

// PEMPrivateKey sends a private key among the certificates.
func PEMPrivateKey() Fault {
	f := bundle("pem-private-key", "a private key is among the certificates", "refuse it", always(issue.PrivateKeyInside))
	f.Requirements = []string{"RFC8555-11.4-01", "RFC8555-11.4-02"}
	return f
}

// PEMCRLInside sends a revocation list among the certificates.
func PEMCRLInside() Fault {
	f := bundle("pem-crl-inside", "a revocation list is among the certificates", "refuse it", issue.CRLInside)
	f.Requirements = []string{"RFC8555-11.4-01", "RFC8555-11.4-02"}
	return f
}

// CertHuge sends a chain of at least so many bytes.
func CertHuge(size int) Fault {
	f := bundle("cert-huge", "the chain has megabytes", "stop reading at a limit, and refuse it", func(time.Time) BundleEdit { return issue.Huge(size) })
	f.Params = strconv.Itoa(size)
	return f
}
