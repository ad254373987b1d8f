package kiosk

import (
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast.dev/node/shopfloor"
	"holdfast.dev/stock/journal"
	"holdfast.dev/stock/words"
)

// sold opens a counter with two units in its basket.
func sold(t *testing.T, path string) *counter {
	t.Helper()
	c := openCounter(t, words.EN, path)
	c.receive(9, breadGTIN)
	c.pull("9521234500001")
	c.pull("9521234500001")
	return c
}

func TestACrashBetweenBasketAndReceiptLosesNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	request := newID()
	t.Run("the basket ends and the process with it", func(t *testing.T) {
		c := sold(t, path)
		if err := c.promise(t.Context(), "sale/"+idString(request), "counter"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.o.Floor.FinishBasket(t.Context(), "counter"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the next one prints it once", func(t *testing.T) {
		c := openCounter(t, words.EN, path)
		receipt := c.papers(1)[0]
		for _, want := range []string{"Rye crispbread", "5.98", "R7-"} {
			if !strings.Contains(receipt.Text, want) {
				t.Errorf("the receipt lacks %q:\n%s", want, receipt.Text)
			}
		}
		done, err := c.finishBasket(t.Context(), "counter", request)
		if err != nil || done.Total != 598 || done.Job.ID != 1 {
			t.Errorf("the same request again: %+v, %v", done, err)
		}
		if diff := cmp.Diff([]string{"receipt printed"}, c.settled()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("and never again", func(t *testing.T) {
		c := openCounter(t, words.EN, path)
		c.pull("9521234500001")
		c.must("/v1/stations/counter:finishBasket", `{}`)
		if all := c.papers(1); !strings.Contains(all[0].Text, "2.99") {
			t.Errorf("printed\n%s", all[0].Text)
		}
		if diff := cmp.Diff([]string{"receipt printed", "receipt printed"},
			c.settled()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestABasketThatGoesOnAfterACrashGetsOneReceipt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	t.Run("the process ends before the basket", func(t *testing.T) {
		if err := sold(t, path).promise(t.Context(), "sale/"+idString(newID()),
			"counter"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("one more scan, and one receipt", func(t *testing.T) {
		c := openCounter(t, words.EN, path)
		c.pull("9521234500001")
		c.must("/v1/stations/counter:finishBasket", `{}`)
		if receipt := c.papers(1)[0]; !strings.Contains(receipt.Text, "8.97") {
			t.Errorf("the receipt is\n%s", receipt.Text)
		}
		if diff := cmp.Diff([]string{"receipt printed"}, c.settled()); diff != "" {
			t.Error(diff)
		}
		if left, err := c.spool.Promised(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("still promised: %v, %v", left, err)
		}
	})
}

func TestAnEmptyBasketIsOwedNothing(t *testing.T) {
	c := openCounter(t, words.EN, "")
	if _, err := c.finishBasket(t.Context(), "counter", newID()); err == nil {
		t.Error("an empty basket ended")
	}
	if left, err := c.spool.Promised(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("promised: %v, %v", left, err)
	}
}

// TestAtEveryMomentAnEndedBasketHasItsReceipt looks at the disk, as a crash
// would leave it, while baskets end.
func TestAtEveryMomentAnEndedBasketHasItsReceipt(t *testing.T) {
	c := openCounter(t, words.EN, "")
	c.receive(99, breadGTIN)
	stop, looked := make(chan struct{}), make(chan int, 1)
	go func() {
		ended, last, looks := 0, "", 0
		for ; ; looks++ {
			select {
			case <-stop:
				looked <- looks
				return
			default:
			}
			basket, papers := c.onDisk()
			if basket != last && last != "" {
				ended++
			}
			if last = basket; papers < ended {
				t.Errorf("%d baskets ended, and there are %d receipts or promises", ended, papers)
			}
		}
	}()
	for range 25 {
		c.pull("9521234500001")
		c.must("/v1/stations/counter:finishBasket", `{}`)
	}
	close(stop)
	if looks := <-looked; looks < 25 {
		t.Errorf("looked only %d times", looks)
	}
}

// onDisk reads at one moment which basket is open, and how many papers are
// queued, printed or promised.
func (c *counter) onDisk() (basket string, papers int) {
	err := c.view(c.t.Context(), func(tx *journal.Tx) error {
		var raw []byte
		err := tx.QueryRow(`SELECT value FROM local_setting WHERE name = 'station/counter'`).Scan(&raw)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		var kept struct{ Basket shopfloor.ID }
		if err = errors.Join(err, json.Unmarshal(raw, &kept)); err != nil {
			return err
		}
		basket = idString(kept.Basket)
		return tx.QueryRow(`SELECT count(*) FROM local_print_job WHERE kind = 'receipt'`).Scan(&papers)
	})
	if err != nil {
		c.t.Error(err)
	}
	return basket, papers
}
