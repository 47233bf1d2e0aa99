//go:build !race

package manager_test

const killEvery = 1
