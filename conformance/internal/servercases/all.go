package servercases

// all are the cases in the order of the standards.
func all() []spec {
	return join(
		transportCases(), jwsCases(), getCases(), urlCases(), nonceCases(), errorCases(),
		directoryCases(), objectCases(), stateCases(), identifierCases(),
		accountCases(), bindingCases(), keyChangeCases(), deactivationCases(),
		orderCases(), finalizeCases(), newAuthzCases(), certificateCases(),
		authorizationCases(), revocationCases(), retryCases(), http01Cases(), dns01Cases(),
		renewalInfoCases(), tlsALPNCases(), ipCases(),
		joseCases(), caaCases(), profileCases(), dnsAccountCases(), persistCases(),
	)
}
