package cloud

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"holdfast.dev/internal/process"
	shopv1 "holdfast.dev/proto/shop/v1"
)

// AdminAt says where the cloud's operators' listener is.
type AdminAt struct {
	Admin string `help:"Admin address of the cloud." default:"127.0.0.1:8081"`
}

// dial opens a client of the head office API.
func (a AdminAt) dial() (shopv1.HeadOfficeClient, func() error, error) {
	conn, err := grpc.NewClient("passthrough:///"+a.Admin,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, fmt.Errorf("reach the cloud at %s: %w", a.Admin, err)
	}
	return shopv1.NewHeadOfficeClient(conn), conn.Close, nil
}

// explain turns an API error into the sentence that it carries, with what is wrong
// about a malformed request behind it.
func (a AdminAt) explain(err error) error {
	st, ok := status.FromError(err)
	switch {
	case !ok || err == nil:
		return err
	case st.Code() == codes.Unavailable && len(st.Details()) == 0:
		_, why, _ := strings.Cut(st.Message(), "Error while dialing: ")
		return fmt.Errorf("reach the cloud at %s: %s", a.Admin, cmp.Or(strings.TrimSuffix(why, `"`), st.Message()))
	}
	if detail := process.Detail(st); detail != "" {
		return fmt.Errorf("%s [%s]", st.Message(), detail)
	}
	return errors.New(st.Message())
}

// ImportOptions say which product list goes in.
type ImportOptions struct {
	AdminAt
	DryRun bool   `help:"Only say what would change."`
	File   string `arg:"" help:"CSV file; the first row names the columns." type:"existingfile"`
}

const (
	// importLines is how many rows travel in one call.
	importLines = 1000
	// maxPart is how many bytes of rows travel in one call, and one row more.
	maxPart = 4 << 20
	// maxRow bounds one row of a file, in bytes.
	maxRow = 64 << 10
	// maxListed bounds the problems that are printed one by one.
	maxListed = 50
)

// Import sends a product list to the cloud, part by part, and says what became
// of it. Rows that are no product are listed with their line and reason.
func Import(ctx context.Context, o ImportOptions, out, progress io.Writer) error {
	file, err := os.Open(o.File)
	if err != nil {
		return fmt.Errorf("open the product list: %w", err)
	}
	defer file.Close()
	office, done, err := o.dial()
	if err != nil {
		return err
	}
	defer done()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	bar := process.NewProgress(progress, "import", info.Size())
	sum, err := importParts(ctx, office, file, o, bar)
	bar.Close()
	if err != nil {
		return err
	}
	return tell(out, sum, o.DryRun)
}

// importParts sends the file in parts, each with the heading row.
func importParts(ctx context.Context, office shopv1.HeadOfficeClient, file io.Reader, o ImportOptions,
	bar *process.Progress) (*shopv1.ImportProductsResponse, error) {
	parts := partsOf(file)
	sum := new(shopv1.ImportProductsResponse)
	for parts.next() {
		resp, err := office.ImportProducts(ctx, &shopv1.ImportProductsRequest{Csv: parts.csv, DryRun: o.DryRun,
			FirstLine: parts.line, Source: filepath.Base(o.File)})
		if err != nil {
			return nil, fmt.Errorf("import from line %d on: %w", parts.line, o.explain(err))
		}
		sum.Added += resp.GetAdded()
		sum.Changed += resp.GetChanged()
		sum.Same += resp.GetSame()
		sum.Refused += resp.GetRefused()
		sum.Version = max(sum.GetVersion(), resp.GetVersion())
		sum.Problems = append(sum.Problems, resp.GetProblems()...)
		sum.Changes = append(sum.Changes, resp.GetChanges()...)
		bar.Add(int64(parts.size))
	}
	bar.Add(int64(len(parts.heading)))
	return sum, parts.err
}

// parts cuts a CSV file into pieces that each begin with the heading row. A row
// is a line: the importer knows no line break inside a field.
type parts struct {
	in      *bufio.Reader
	heading []byte
	csv     []byte // the piece
	line    int64  // of its first data row
	size    int    // bytes of the file that it stands for
	seen    int64  // lines read so far
	err     error
}

func partsOf(file io.Reader) *parts { return &parts{in: bufio.NewReaderSize(file, maxRow)} }

func (p *parts) next() bool {
	if p.seen == 0 {
		p.heading = p.row(nil)
	}
	p.line = p.seen + 1
	p.csv = bytes.Clone(p.heading)
	for n := 0; n < importLines && len(p.csv) < maxPart && p.err == nil; n++ {
		p.csv = p.row(p.csv)
	}
	p.size = len(p.csv) - len(p.heading)
	if errors.Is(p.err, io.EOF) {
		p.err = nil
		return p.size > 0
	}
	return p.err == nil && p.size > 0
}

// row appends one row to b. What a row has beyond maxRow is left out: the
// importer refuses such a row, and needs no more to see it.
func (p *parts) row(b []byte) []byte {
	p.seen++
	for kept := 0; ; {
		text, err := p.in.ReadSlice('\n')
		if kept <= maxRow || err == nil {
			b, kept = append(b, text...), kept+len(text)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			p.err = err
			return b
		}
	}
}

func tell(out io.Writer, sum *shopv1.ImportProductsResponse, dry bool) error {
	for i, p := range sum.GetProblems() {
		if i == maxListed {
			fmt.Fprintf(out, "… and %d more\n", len(sum.GetProblems())-maxListed)
			break
		}
		fmt.Fprintf(out, "line %d refused (%s): %s\n", p.GetLine(), p.GetCode(), p.GetReason())
	}
	for i, c := range sum.GetChanges() {
		if i == maxListed {
			fmt.Fprintf(out, "… and %d more\n", len(sum.GetChanges())-maxListed)
			break
		}
		fmt.Fprintf(out, "line %d: %s %s\n", c.GetLine(), c.GetGtin(), c.GetWhat())
	}
	verb := ""
	if dry {
		verb = "would be "
	}
	fmt.Fprintf(out, "%d products %sadded, %d changed, %d the same, %d rows refused.\n",
		sum.GetAdded(), verb, sum.GetChanged(), sum.GetSame(), sum.GetRefused())
	if sum.GetAdded()+sum.GetChanged()+sum.GetSame() == 0 {
		return errors.New("no row of the file could go in")
	}
	return nil
}

// StoreOptions describe a store.
type StoreOptions struct {
	AdminAt
	ID       uint32  `name:"id" help:"Number of the store." required:""`
	Name     string  `help:"Name that shoppers know it by." required:""`
	Town     string  `required:""`
	Street   string  ``
	Postcode string  ``
	Country  string  `help:"ISO 3166-1 code of two letters." required:""`
	Lat      float64 `help:"Latitude in degrees."`
	Lon      float64 `help:"Longitude in degrees."`
	Timezone string  `help:"IANA name, such as Europe/Amsterdam." default:"UTC"`
	Opening  string  `help:"Opening hours."`
	Language string  `help:"nl, da, de or en." default:"en"`
	Currency string  `help:"ISO 4217 code." default:"EUR"`
}

// PutStore creates or changes a store and returns a sentence.
func PutStore(ctx context.Context, o StoreOptions) (string, error) {
	office, done, err := o.dial()
	if err != nil {
		return "", err
	}
	defer done()
	s, err := office.PutStore(ctx, &shopv1.PutStoreRequest{Store: &shopv1.Store{Store: o.ID, Name: o.Name,
		Town: o.Town, Street: o.Street, Postcode: o.Postcode, Country: o.Country, Latitude: o.Lat,
		Longitude: o.Lon, Timezone: o.Timezone, Opening: o.Opening, Language: o.Language, Currency: o.Currency}})
	if err != nil {
		return "", o.explain(err)
	}
	return fmt.Sprintf("Store %d is %s in %s.", s.GetStore(), s.GetName(), s.GetTown()), nil
}

// JoinOptions say which store a node may join.
type JoinOptions struct {
	AdminAt
	Store uint32 `help:"Number of the store." required:""`
}

// Join returns a one-time join string.
func Join(ctx context.Context, o JoinOptions) (string, error) {
	office, done, err := o.dial()
	if err != nil {
		return "", err
	}
	defer done()
	resp, err := office.IssueJoin(ctx, &shopv1.IssueJoinRequest{Store: o.Store})
	return resp.GetJoin(), o.explain(err)
}
