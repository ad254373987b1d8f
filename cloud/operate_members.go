package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast.dev/cloud/quorum"
)

const (
	// callWithin bounds a call about the cloud's processes; a change may wait
	// for a leader.
	callWithin = 15 * time.Second
	// maxAnswer bounds its answer, in bytes.
	maxAnswer = 1 << 20
)

// MemberWish names a process of the cloud.
type MemberWish struct {
	AdminAt
	ID string `arg:"" help:"Id of the member, as members shows it."`
}

// LeaderWish names the process that is to lead.
type LeaderWish struct {
	AdminAt
	ID string `arg:"" optional:"" help:"Id of the member; any other one unless given."`
}

// Members lists the processes of the cloud.
func Members(ctx context.Context, a AdminAt) (string, error) {
	var infos []quorum.Info
	if err := a.call(ctx, http.MethodGet, "members", &infos); err != nil {
		return "", err
	}
	if len(infos) == 0 {
		return "This process is no member yet: it waits to be taken in. Its log says what for.", nil
	}
	text := ""
	for _, i := range infos {
		role := "new, without a vote yet"
		switch {
		case i.Leader:
			role = "leads"
		case i.Voter:
			role = "follows"
		}
		if i.Scarce {
			role += ", and its disk is all but full"
		}
		if i.Problem != "" {
			role = "does not answer: " + i.Problem
		}
		if i.Self {
			role += "; this process"
		}
		text += fmt.Sprintf("%s  %s  entry %d  knows version %d  %s\n", i.ID, i.Address, i.Applied, i.Version, role)
	}
	return text[:max(len(text)-1, 0)], nil
}

// RemoveMember takes a process out of the cloud for ever and returns a sentence.
func RemoveMember(ctx context.Context, o MemberWish) (string, error) {
	err := o.call(ctx, http.MethodDelete, "members/"+url.PathEscape(o.ID), nil)
	return fmt.Sprintf("Member %s is out. It never comes back under this id.", o.ID), err
}

// TransferLeader lets another process lead and returns a sentence.
func TransferLeader(ctx context.Context, o LeaderWish) (string, error) {
	path := "members/lead"
	if o.ID != "" {
		path = "members/" + url.PathEscape(o.ID) + "/lead"
	}
	err := o.call(ctx, http.MethodPost, path, nil)
	return fmt.Sprintf("%s leads.", cmp.Or(o.ID, "Another member")), err
}

// call asks the operators' listener about the cloud's processes, and reads the
// answer into v unless it is nil.
func (a AdminAt) call(ctx context.Context, method, path string, v any) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.Admin+"/v1/"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("reach the cloud at %s: %w", a.Admin, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("hear the cloud at %s: %w", a.Admin, err)
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(text)))
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(text, v)
}
