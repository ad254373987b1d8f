package demo

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	shopv1 "holdfast.dev/proto/shop/v1"
)

// knows is a member that knows this of store 7; nil: it does not answer.
type knows struct {
	shopv1.HeadOfficeClient
	state *shopv1.StoreState
}

var errSilent = errors.New("no answer")

func (k knows) ListStoreStates(context.Context, *shopv1.ListStoreStatesRequest,
	...grpc.CallOption) (*shopv1.ListStoreStatesResponse, error) {
	if k.state == nil {
		return nil, errSilent
	}
	k.state.Store = &shopv1.Store{Store: 7}
	return &shopv1.ListStoreStatesResponse{States: []*shopv1.StoreState{{Store: &shopv1.Store{Store: 1}}, k.state}}, nil
}

func TestAStoreStandsAsTheMemberSaysThatKnowsMost(t *testing.T) {
	behind := &shopv1.StoreState{Timeline: 1, Session: 3, JournalApplied: 20, DirectivesNext: 5}
	for name, tt := range map[string]struct {
		members []*shopv1.StoreState
		want    uint64 // the next directive
	}{
		"one has more orders":         {[]*shopv1.StoreState{behind, {Timeline: 1, Session: 3, JournalApplied: 20, DirectivesNext: 6}}, 6},
		"a new timeline begins small": {[]*shopv1.StoreState{{Timeline: 2, DirectivesNext: 1}, behind}, 1},
		"one does not answer":         {[]*shopv1.StoreState{nil, behind}, 5},
		"nobody answers":              {[]*shopv1.StoreState{nil, nil}, 0},
	} {
		h := new(Head)
		for _, s := range tt.members {
			h.Members = append(h.Members, &Member{office: knows{state: s}})
		}
		got, err := h.State(t.Context(), 7)
		if got.GetDirectivesNext() != tt.want || (err == nil) == (tt.want == 0) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
