package gateway

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"holdfast.dev/cloud/headoffice"
	"holdfast.dev/cloud/headoffice/assortment"
	"holdfast.dev/internal/identity"
	recordv1 "holdfast.dev/proto/record/v1"
	shopv1 "holdfast.dev/proto/shop/v1"
	"holdfast.dev/stock"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/ledger"
	"holdfast.dev/stock/words"
)

const (
	// joinTTL is how long a join string may be redeemed.
	joinTTL = time.Hour
	// importChunk is how many products one command changes.
	importChunk = 500
	// maxShown bounds the problems and changes that an import lists.
	maxShown = 1000
)

// Office serves what operators may do; it stands on the admin listener only.
type Office struct {
	shopv1.UnimplementedHeadOfficeServer
	g *Gateway
}

// Office returns the operators' side of the gateway.
func (g *Gateway) Office() *Office { return &Office{g: g} }

// ImportProducts adds and changes products, or says what it would do.
func (o *Office) ImportProducts(ctx context.Context, r *shopv1.ImportProductsRequest) (*shopv1.ImportProductsResponse, error) {
	list, err := assortment.Parse(bytes.NewReader(r.GetCsv()), max(2, r.GetFirstLine()))
	if err != nil {
		return nil, err
	}
	resp := &shopv1.ImportProductsResponse{Refused: int32(len(list.Problems))}
	for _, p := range list.Problems[:min(len(list.Problems), maxShown)] {
		resp.Problems = append(resp.Problems, &shopv1.RowProblem{Line: p.Line, Gtin: p.GTIN,
			Code: p.Code.String(), Reason: p.Reason})
	}
	if r.GetDryRun() {
		return resp, o.compare(ctx, list, resp)
	}
	return resp, o.importRows(ctx, list, r.GetSource(), resp)
}

// compare fills in what an import would change.
func (o *Office) compare(ctx context.Context, list *assortment.List, resp *shopv1.ImportProductsResponse) error {
	return o.g.fresh(ctx, func(tx *journal.Tx) (err error) {
		for _, row := range list.Rows {
			next, err := o.merged(tx, list, row)
			if err != nil {
				return err
			}
			d, err := headoffice.CompareProduct(tx, next)
			if err != nil {
				return err
			}
			change := &shopv1.RowChange{Line: row.Line, Gtin: next.GetGtin(), What: strings.Join(d.Columns, ", ")}
			switch {
			case d.Added:
				resp.Added++
				change.What = "added"
			case len(d.Columns) > 0:
				resp.Changed++
			default:
				resp.Same++
				continue
			}
			if len(resp.Changes) < maxShown {
				resp.Changes = append(resp.Changes, change)
			}
		}
		resp.Version, err = headoffice.CatalogueVersion(tx)
		return err
	})
}

// merged is a row over what the catalogue has: columns that the file does not
// have stay.
func (o *Office) merged(tx *journal.Tx, list *assortment.List, row assortment.Row) (*recordv1.Product, error) {
	known, err := headoffice.ProductByGTIN(tx, row.Product.GetGtin())
	if err != nil || known == nil {
		return row.Product, err
	}
	return list.Over(known, row.Product), nil
}

func (o *Office) importRows(ctx context.Context, list *assortment.List, source string, resp *shopv1.ImportProductsResponse) error {
	for rows := list.Rows; len(rows) > 0; {
		chunk := rows[:min(len(rows), importChunk)]
		rows = rows[len(chunk):]
		c := &recordv1.ImportProducts{Source: source}
		err := o.g.fresh(ctx, func(tx *journal.Tx) error {
			for _, row := range chunk {
				next, err := o.merged(tx, list, row)
				if err != nil {
					return err
				}
				c.Products = append(c.Products, next)
			}
			return nil
		})
		if err != nil {
			return err
		}
		result, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{
			Body: &recordv1.Command_ImportProducts{ImportProducts: c}})
		if err != nil {
			return err
		}
		done := result.GetImport()
		resp.Added += int32(done.GetAdded())
		resp.Changed += int32(done.GetChanged())
		resp.Same += int32(done.GetSame())
		resp.Version = done.GetVersion()
	}
	return nil
}

// PutStore creates or changes a store.
func (o *Office) PutStore(ctx context.Context, r *shopv1.PutStoreRequest) (*shopv1.Store, error) {
	s := r.GetStore()
	if err := checkWords(s); err != nil {
		return nil, err
	}
	_, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_PutStore{
		PutStore: &recordv1.PutStore{Store: &recordv1.StoreInfo{Store: s.GetStore(), Name: s.GetName(),
			Town: s.GetTown(), Street: s.GetStreet(), Postcode: s.GetPostcode(), Country: s.GetCountry(),
			LatE6: int32(math.Round(s.GetLatitude() * 1e6)), LonE6: int32(math.Round(s.GetLongitude() * 1e6)),
			Timezone: s.GetTimezone(), Opening: s.GetOpening(), Language: s.GetLanguage(),
			Currency: s.GetCurrency()}}}})
	if err != nil {
		return nil, err
	}
	return o.g.GetStore(ctx, &shopv1.GetStoreRequest{Store: s.GetStore()})
}

// checkWords refuses a store whose zone, country, language or currency means
// nothing: its clock and its prices would be shown in others, without a word.
func checkWords(s *shopv1.Store) error {
	_, known := words.ParseLang(s.GetLanguage())
	_, zoneErr := time.LoadLocation(s.GetTimezone())
	for _, c := range []struct {
		name, text string
		right      bool
		want       string
	}{
		{"timezone", s.GetTimezone(), zoneErr == nil && s.GetTimezone() != "Local", "an IANA name, such as Europe/Amsterdam"},
		{"country", s.GetCountry(), capitals(s.GetCountry(), 2), "two capital letters (ISO 3166-1), such as NL"},
		{"currency", s.GetCurrency(), capitals(s.GetCurrency(), 3), "three capital letters (ISO 4217), such as EUR"},
		{"language", s.GetLanguage(), known, "nl, da, de or en"},
	} {
		if c.text != "" && !c.right {
			return stock.Refuse(stock.BadRequest, "%s %q is not %s", c.name, c.text, c.want).With("what", c.name)
		}
	}
	return nil
}

func capitals(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// IssueJoin makes a one-time join string.
func (o *Office) IssueJoin(ctx context.Context, r *shopv1.IssueJoinRequest) (*shopv1.IssueJoinResponse, error) {
	join := identity.NewJoin(o.g.o.CAPin, o.g.o.NodesAt, stock.StoreID(r.GetStore()))
	hash, until := join.SecretHash(), time.Now().Add(joinTTL)
	_, err := o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_IssueJoin{
		IssueJoin: &recordv1.IssueJoin{Store: r.GetStore(), SecretHash: hash[:], ExpiresAt: until.UnixMilli()}}})
	if err != nil {
		return nil, err
	}
	return &shopv1.IssueJoinResponse{Join: join.String(), ExpireTime: timestamppb.New(until)}, nil
}

// SetPolicy changes a store's policy; fields that are not given stay.
func (o *Office) SetPolicy(ctx context.Context, r *shopv1.SetPolicyRequest) (*shopv1.SetPolicyResponse, error) {
	var p *recordv1.Policy
	err := o.g.fresh(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, stock.StoreID(r.GetStore()))
		if err == nil {
			p, err = changePolicy(s.Policy, r.GetPolicy())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	_, err = o.g.o.Engine.Propose(ctx, &recordv1.Command{Body: &recordv1.Command_SetPolicy{
		SetPolicy: &recordv1.SetPolicy{Store: r.GetStore(), Policy: p}}})
	return &shopv1.SetPolicyResponse{}, err
}

var lastUnit = map[string]recordv1.LastUnitPolicy{
	"block": recordv1.LastUnitPolicy_LAST_UNIT_POLICY_BLOCK,
	"ask":   recordv1.LastUnitPolicy_LAST_UNIT_POLICY_ASK,
	"auto":  recordv1.LastUnitPolicy_LAST_UNIT_POLICY_AUTO,
}

func changePolicy(p *recordv1.Policy, to *shopv1.Policy) (*recordv1.Policy, error) {
	if to.GetLastUnit() != "" {
		mode, ok := lastUnit[to.GetLastUnit()]
		if !ok {
			return nil, stock.Refuse(stock.BadRequest, "last unit policy %q", to.GetLastUnit()).With("what", "last_unit")
		}
		p.LastUnit = mode
	}
	for _, f := range []struct {
		to   *int64
		from int64
	}{{&p.FloorUnits, to.GetFloorUnits()}, {&p.PickupWindowMs, 1000 * to.GetPickupWindowS()},
		{&p.GraceMs, 1000 * to.GetGraceS()}, {&p.HoldMs, 1000 * to.GetHoldS()}} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	switch to.GetPin() {
	case "":
	case "needed", "optional":
		p.PinNeeded = to.GetPin() == "needed"
	default:
		return nil, stock.Refuse(stock.BadRequest, "pin %q", to.GetPin()).With("what", "pin")
	}
	if to.GetSharePermille() > 0 {
		p.SharePermille = uint32(to.GetSharePermille())
	}
	return p, nil
}

// ListStoreStates shows how every store stands.
func (o *Office) ListStoreStates(ctx context.Context, _ *shopv1.ListStoreStatesRequest) (*shopv1.ListStoreStatesResponse, error) {
	resp := new(shopv1.ListStoreStatesResponse)
	err := o.g.view(ctx, func(tx *journal.Tx) error {
		stores, err := headoffice.Stores(tx, 0, allStores)
		if err != nil {
			return err
		}
		for _, s := range stores {
			t, err := headoffice.StoreTotals(tx, s.ID)
			if err != nil {
				return err
			}
			state := &shopv1.StoreState{Store: o.g.toStore(s), Epoch: s.Epoch.String(), Session: s.Session,
				JournalApplied: s.Applied.Seq, DirectivesNext: s.Directives.Seq + 1, DirectivesAcked: s.Acked,
				Timeline: uint32(s.Timeline), CatalogueVersion: s.Catalogue, Backlog: s.Backlog,
				NodeId: idText(s.NodeID), Pool: int64(t.Pool), Held: int64(t.Held), Promised: int64(t.Promised)}
			if heard := o.g.o.Stores.Standing(s).LastHeard; !heard.IsZero() {
				state.LastSeen = timestamppb.New(heard)
			}
			resp.States = append(resp.States, state)
		}
		return nil
	})
	return resp, err
}

// ListBooks shows counters, pool and mirror of a store by SKU.
func (o *Office) ListBooks(ctx context.Context, r *shopv1.ListBooksRequest) (*shopv1.ListBooksResponse, error) {
	after, err := pageToken(r.GetPageToken(), math.MaxUint32)
	if err != nil {
		return nil, err
	}
	size, id := pageSize(r.GetPageSize(), maxBookPage), stock.StoreID(r.GetStore())
	resp := new(shopv1.ListBooksResponse)
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		s, err := headoffice.FindStore(tx, id)
		if err != nil {
			return err
		}
		resp.JournalApplied = s.Applied.Seq
		if r.GetGtin() != "" {
			return o.bookOf(tx, id, r.GetGtin(), resp)
		}
		rows, err := headoffice.BookRows(tx, id, stock.SKU(after), size+1)
		if err != nil {
			return err
		}
		if len(rows) > size {
			rows = rows[:size]
			resp.NextPageToken = strconv.FormatUint(uint64(rows[size-1].SKU), 10)
		}
		for _, row := range rows {
			if err := addBook(tx, row, resp); err != nil {
				return err
			}
		}
		return nil
	})
	return resp, err
}

func (o *Office) bookOf(tx *journal.Tx, id stock.StoreID, number string, resp *shopv1.ListBooksResponse) error {
	p, err := o.g.product(tx, number)
	if err != nil {
		return err
	}
	row, err := headoffice.BookOf(tx, id, stock.SKU(p.GetSku()))
	if err != nil {
		return err
	}
	return addBook(tx, row, resp)
}

func addBook(tx *journal.Tx, row headoffice.BookRow, resp *shopv1.ListBooksResponse) error {
	out := &shopv1.BookRow{Sku: uint32(row.SKU), Granted: int64(row.Pool.Granted), Returned: int64(row.Pool.Returned),
		Assigned: int64(row.Pool.Assigned), Held: int64(row.Pool.Held), Pool: int64(row.Pool.Free()),
		StoreGranted: int64(row.Mirror.Rights.Granted), StoreReturned: int64(row.Mirror.Rights.Returned),
		StoreAssigned: int64(row.Mirror.Rights.Assigned), Accounts: make(map[string]int64)}
	for a := ledger.Sellable; a <= ledger.Writeoff; a++ {
		out.Accounts[a.String()] = int64(row.Mirror.Balances[a])
	}
	p, err := headoffice.ProductBySKU(tx, row.SKU)
	if err != nil {
		return err
	}
	out.Gtin = p.GetGtin()
	resp.Rows = append(resp.Rows, out)
	return nil
}

// ListReservations lists a store's reservations, newest first.
func (o *Office) ListReservations(ctx context.Context, r *shopv1.ListReservationsRequest) (*shopv1.ListReservationsResponse, error) {
	before, err := pageToken(r.GetPageToken(), math.MaxInt64)
	if err != nil {
		return nil, err
	}
	size := pageSize(r.GetPageSize(), maxPage)
	resp := new(shopv1.ListReservationsResponse)
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		found, err := headoffice.Promises(tx, headoffice.List{Store: stock.StoreID(r.GetStore()),
			OpenOnly: r.GetOpenOnly(), Before: uint64(before), Limit: size + 1})
		if err != nil {
			return err
		}
		if len(found) > size {
			found = found[:size]
			resp.NextPageToken = strconv.FormatUint(found[size-1].Reserve.GetDirective(), 10)
		}
		for _, p := range found {
			shown, err := o.g.readReservation(tx, p, "")
			if err != nil {
				return err
			}
			resp.Reservations = append(resp.Reservations, shown)
		}
		return nil
	})
	return resp, err
}

// ListAnomalies lists what a person should look at, newest first.
func (o *Office) ListAnomalies(ctx context.Context, r *shopv1.ListAnomaliesRequest) (*shopv1.ListAnomaliesResponse, error) {
	before, err := parseAnomaly(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(r.GetPageSize(), maxPage)
	resp := new(shopv1.ListAnomaliesResponse)
	err = o.g.view(ctx, func(tx *journal.Tx) error {
		found, err := headoffice.Anomalies(tx, before, size+1)
		if len(found) > size {
			found = found[:size]
			resp.NextPageToken = anomalyToken(found[size-1])
		}
		for _, a := range found {
			resp.Anomalies = append(resp.Anomalies, &shopv1.Anomaly{Store: uint32(a.Store), Seq: a.Seq,
				Code: a.Code, What: a.What, At: stamp(a.At)})
		}
		return err
	})
	return resp, err
}

func anomalyToken(a headoffice.Anomaly) string {
	parts := []string{strconv.FormatInt(a.At, 10), a.Store.String(), strconv.FormatUint(a.Seq, 10), strconv.Itoa(a.Number)}
	return strings.Join(parts, ".")
}

func parseAnomaly(text string) (a headoffice.Anomaly, err error) {
	if text == "" {
		return a, nil
	}
	var n [4]int64
	parts := strings.Split(text, ".")
	for i := range n {
		if len(parts) == len(n) && err == nil {
			n[i], err = strconv.ParseInt(parts[i], 10, 64)
		}
	}
	if err != nil || len(parts) != len(n) {
		return a, stock.Refuse(stock.BadRequest, "page token %q", text).With("what", "page_token")
	}
	return headoffice.Anomaly{At: n[0], Store: stock.StoreID(n[1]), Seq: uint64(n[2]), Number: int(n[3])}, nil
}

// CheckInvariants checks what must always hold, as far as the cloud can see it.
func (o *Office) CheckInvariants(ctx context.Context, _ *shopv1.CheckInvariantsRequest) (*shopv1.CheckInvariantsResponse, error) {
	resp := new(shopv1.CheckInvariantsResponse)
	err := o.g.view(ctx, func(tx *journal.Tx) error {
		all, err := headoffice.CheckInvariants(tx)
		for _, i := range all {
			resp.Results = append(resp.Results, &shopv1.InvariantResult{Name: i.Name, Held: len(i.Violations) == 0,
				Checked: i.Checked, Violations: i.Violations})
		}
		return err
	})
	return resp, err
}
