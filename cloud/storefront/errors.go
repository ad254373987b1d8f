package storefront

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"holdfast.dev/stock"
	"holdfast.dev/stock/words"
)

// problem is a page that says what did not work and what to do next.
type problem struct {
	view
	Icon     string
	Heading  string
	Sentence string
	Search   bool // the next step is to look for something else
	Href     string
	Link     string
	Retry    []field // a form to send again; it counts only once
	Action   string
}

type field struct{ Name, Value string }

// fail answers with a page for what went wrong.
func (v *visit) fail(err error) {
	if errors.Is(err, context.Canceled) && v.r.Context().Err() != nil {
		return // nobody waits for an answer
	}
	code, p := v.problem(err)
	if code >= http.StatusInternalServerError && !stock.Refused(err, stock.Busy) && !stock.Refused(err, stock.Offline) {
		v.s.o.Logger.Error("serve page", "path", v.r.URL.Path, "err", err)
	}
	if err := v.show(code, sheet{name: "problem", title: p.Heading, width: "narrow", data: p}); err != nil {
		v.s.o.Logger.Error("serve page of a problem", "err", err)
		http.Error(v.w, p.Sentence, code)
	}
}

func (v *visit) problem(err error) (int, problem) {
	p := problem{view: v.view, Icon: "triangle-alert", Heading: v.T("problem.broken"),
		Sentence: v.T("problem.broken_next"), Href: "/", Link: v.T("problem.home")}
	if r, ok := stock.AsRefusal(err); ok {
		p = v.refusal(p, r)
		if p.Search && v.r.Method == http.MethodGet { // a number that cannot be one is no page either
			return http.StatusNotFound, p
		}
		return words.HTTP(r.Code), p
	}
	code := http.StatusInternalServerError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		p.Heading, p.Sentence = v.T("problem.refused"), v.T("problem.too_long")
		return http.StatusRequestEntityTooLarge, p
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.DeadlineExceeded:
		code, p.Heading = http.StatusGatewayTimeout, v.T("problem.slow")
	}
	if v.r.Method == http.MethodPost {
		p.Action, p.Retry = v.r.URL.Path, fields(v.r.PostForm)
	}
	return code, p
}

// fields are a form's, to be sent once more.
func fields(form url.Values) []field {
	var all []field
	for name, values := range form {
		for _, value := range values {
			all = append(all, field{name, value})
		}
	}
	slices.SortStableFunc(all, func(a, b field) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

func (v *visit) refusal(p problem, r *stock.Refusal) problem {
	p.Icon, p.Heading, p.Sentence = "info", v.T("problem.refused"), words.RefusalAt(v.Lang, r, v.Now)
	switch r.Code {
	case stock.UnknownProduct, stock.BadCheckDigit, stock.Unreadable:
		p.Icon, p.Heading, p.Sentence = "package-x", v.T("problem.no_product"), v.T("problem.no_product_next")
		p.Search = true
	case stock.UnknownReservation:
		p.Icon, p.Heading = "package-x", v.T("problem.no_pickup")
		p.Sentence, p.Href, p.Link = v.T("problem.no_pickup_next"), "/pickups", v.T("problem.pickups")
	case stock.UnknownStore:
		p.Icon, p.Heading, p.Href, p.Link = "store", v.T("problem.no_store"), "/stores", v.T("problem.stores")
	case stock.TooMany, stock.BadUnits:
		p.Href, p.Link = "/cart", v.T("problem.basket")
	case stock.Busy, stock.RateLimited, stock.Offline:
		p.Icon, p.Heading = "clock", v.T("problem.busy")
		v.w.Header().Set("Retry-After", retryAfter(r))
		if v.r.Method == http.MethodPost {
			p.Action, p.Retry = v.r.URL.Path, fields(v.r.PostForm)
		}
	}
	return p
}

// retryAfter is when a refused request may come again, in whole seconds.
func retryAfter(r *stock.Refusal) string {
	ms, err := strconv.Atoi(r.Args["after_ms"])
	if err != nil || ms < 1000 {
		ms = 1000
	}
	return strconv.Itoa((ms + 999) / 1000)
}

// nothingHere answers for an address without a page.
func nothingHere(v *visit) error {
	p := problem{view: v.view, Icon: "search", Heading: v.T("problem.no_page"),
		Sentence: v.T("problem.no_page_next"), Search: true, Href: "/", Link: v.T("problem.home")}
	return v.show(http.StatusNotFound, sheet{name: "problem", title: p.Heading, width: "narrow", data: p})
}

// crossOrigin answers a form that another site sent.
func crossOrigin(v *visit) error {
	p := problem{view: v.view, Icon: "shield-check", Heading: v.T("problem.refused"),
		Sentence: v.T("problem.cross_origin"), Href: "/", Link: v.T("problem.home")}
	return v.show(http.StatusForbidden, sheet{name: "problem", title: p.Heading, width: "narrow", data: p})
}
