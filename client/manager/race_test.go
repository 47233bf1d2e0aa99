//go:build race

package manager_test

// killEvery is how many points lie between two kills: the race detector makes
// processes slow to start, and has nothing to find in one that is killed.
const killEvery = 3
