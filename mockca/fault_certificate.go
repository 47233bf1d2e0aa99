package mockca

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca/internal/issue"
)

// Faults of certificates and their download: RFC 8555, Sections 7.4.2, 9.1 and
// 11.4.

func certificateFaults() []FaultInfo {
	return append([]FaultInfo{
		simple(CertWrongKey), simple(CertWrongNames), simple(CertExtraName), simple(CertMissingName), simple(CertExpired), simple(CertNotYetValid),
		timed(time.Hour, CertBackdated), timed(10*time.Minute, CertShort), simple(SCTMissing), simple(MustStapleMissing),
		counted(1, Cert500ThenOK), counted(1, Cert404ThenOK), worded("application/pkix-cert", CertWrongContentType),
		simple(AlternateLoop), simple(Alternate404), simple(AlternateGarbage), counted(1000, AlternateMany),
	}, chainFaults()...)
}

const refuseCert = "refuse the certificate, and keep what there is"

// leaf makes certificates wrong.
func leaf(name, doc, duty string, edit func(now time.Time) LeafEdit) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: duty,
		Endpoints: []Endpoint{Finalize},
		Core:      func(x *Exchange, k *Knobs) { k.Leaf = append(k.Leaf, edit(x.Time())) },
	}
}

// CertWrongKey certifies another key than the CSR's.
func CertWrongKey() Fault {
	return leaf("cert-wrong-key", "the certificate is for another key than the CSR's", refuseCert, func(time.Time) LeafEdit { return issue.WrongKey() })
}

// CertWrongNames certifies other names.
func CertWrongNames() Fault {
	return leaf("cert-wrong-names", "the certificate is for other names", refuseCert, func(time.Time) LeafEdit { return issue.OtherNames("unasked.example") })
}

// CertExtraName certifies one name more.
func CertExtraName() Fault {
	return leaf("cert-extra-name", "the certificate has a name that was not ordered", refuseCert, func(time.Time) LeafEdit { return issue.ExtraName("unasked.example") })
}

// CertMissingName leaves the last name out.
func CertMissingName() Fault {
	return leaf("cert-missing-name", "the certificate lacks a name that was ordered", refuseCert, func(time.Time) LeafEdit { return issue.MissingName() })
}

// CertExpired issues certificates that expired an hour ago.
func CertExpired() Fault {
	return leaf("cert-expired", "the certificate expired an hour ago", refuseCert, issue.Expired)
}

// CertNotYetValid issues certificates that are valid from tomorrow.
func CertNotYetValid() Fault {
	return leaf("cert-not-yet-valid", "the certificate is valid from tomorrow", refuseCert, issue.NotYetValid)
}

// CertBackdated begins the validity of certificates earlier by d.
func CertBackdated(d time.Duration) Fault {
	f := leaf("cert-backdated", "the certificate is valid since before it was issued, as is usual against clocks that are slow", "carry on",
		func(time.Time) LeafEdit { return issue.Backdated(d) })
	f.Params = d.String()
	return f
}

// CertShort issues certificates that live for d.
func CertShort(d time.Duration) Fault {
	f := leaf("cert-short", "the certificate lives for minutes", "accept it, and renew in time",
		func(now time.Time) LeafEdit { return issue.Short(now, d) })
	f.Params = d.String()
	return f
}

// SCTMissing issues certificates without the timestamps of certificate
// transparency, which they have where Profile.SCT says so.
func SCTMissing() Fault {
	return leaf("sct-missing", "the certificate lacks the signed certificate timestamps that it should have", "report it",
		func(time.Time) LeafEdit { return issue.NoSCT() })
}

// MustStapleMissing issues certificates without the extension of RFC 7633 that
// the CSR asks for.
func MustStapleMissing() Fault {
	return leaf("must-staple-missing", "the certificate lacks the must-staple extension that was asked for", "report it",
		func(time.Time) LeafEdit { return issue.NoMustStaple() })
}

// download answers downloads of certificates with an error, n times.
func download(name, doc string, n, status int) Fault {
	return Fault{
		Name: name, Params: strconv.Itoa(n), Doc: doc, Duty: "try again",
		Endpoints: []Endpoint{Certificate}, Times: n,
		Request: func(x *Exchange) *Response {
			return ProblemResponse(problem(TypeServerInternal, "the certificate at %s is not to be had yet", x.URL).withStatus(status))
		},
	}
}

// Cert500ThenOK fails downloads n times with 500; 0: each time.
func Cert500ThenOK(n int) Fault {
	return download("cert-500-then-ok", "the download fails with 500 at first", n, http.StatusInternalServerError)
}

// Cert404ThenOK fails downloads n times with 404; 0: each time.
func Cert404ThenOK(n int) Fault {
	return download("cert-404-then-ok", "the download fails with 404 at first", n, http.StatusNotFound)
}

// CertWrongContentType sends certificates under another media type.
func CertWrongContentType(mediaType string) Fault {
	return Fault{
		Name: "cert-wrong-content-type", Params: mediaType, Doc: "the certificate comes under another media type", Duty: "carry on if the content is right",
		Endpoints: []Endpoint{Certificate},
		Response: func(_ *Exchange, r *Response) {
			if !r.IsProblem() {
				r.Header.Set("Content-Type", mediaType)
			}
		},
	}
}

// alternates adds links to alternates, and answers for those that the CA has
// not got.
func alternates(name, doc string, links func(url string) []string, answer func(*Exchange) *Response) Fault {
	return Fault{
		Name: name, Doc: doc, Duty: "stop after some; the default chain counts all the same",
		Requirements: []string{"RFC8555-7.4.2-05"},
		Endpoints:    []Endpoint{Certificate},
		Request: func(x *Exchange) *Response {
			if answer == nil || !strings.Contains(x.r.rest, "/") {
				return nil
			}
			return answer(x)
		},
		Response: func(x *Exchange, r *Response) {
			if r.IsProblem() {
				return
			}
			for _, url := range links(x.URL) {
				r.link(url, "alternate")
			}
		},
	}
}

func nextAlternate(url string) []string { return []string{url + "/1"} }

// AlternateLoop links certificates to themselves as alternates.
func AlternateLoop() Fault {
	return alternates("alternate-loop", "the certificate links to itself as an alternate", func(url string) []string { return []string{url, url} }, nil)
}

// Alternate404 links certificates to an alternate that is not there.
func Alternate404() Fault {
	return alternates("alternate-404", "the certificate links to an alternate that is not there", nextAlternate, func(x *Exchange) *Response {
		return ProblemResponse(x.r.missing("certificate"))
	})
}

// AlternateGarbage links certificates to an alternate that is no certificate.
func AlternateGarbage() Fault {
	return alternates("alternate-garbage", "the certificate links to an alternate that is no certificate", nextAlternate, func(*Exchange) *Response {
		return NewResponse(http.StatusOK, "application/pem-certificate-chain", "-----BEGIN CERTIFICATE-----\nYWx0ZXJuYXRl\n-----END CERTIFICATE-----\n")
	})
}

// AlternateMany links certificates to n alternates, all of which are the default
// chain.
func AlternateMany(n int) Fault {
	f := alternates("alternate-many", "the certificate links to a thousand alternates", func(url string) []string {
		if strings.Contains(url, "?") {
			return nil
		}
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("%s?alternate=%d", url, i+1)
		}
		return list
	}, nil)
	f.Params = strconv.Itoa(n)
	return f
}
