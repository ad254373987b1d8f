package gtin

// fields reads the digits of a North American coupon from left to right. After
// the first field that is not there, or not as it must be, ok is false.
type fields struct {
	rest string
	ok   bool
}

// take cuts n digits off.
func (f *fields) take(n int) string {
	if !f.ok || len(f.rest) < n {
		f.ok = false
		return ""
	}
	part := f.rest[:n]
	f.rest = f.rest[n:]
	return part
}

// one takes a digit that is one of those allowed.
func (f *fields) one(allowed string) {
	digit := f.take(1)
	for i := 0; f.ok && i < len(allowed); i++ {
		if allowed[i] == digit[0] {
			return
		}
	}
	f.ok = false
}

// sized takes a digit that says how long the rest of the field is, beyond more,
// and that rest.
func (f *fields) sized(least, most byte, more int) {
	digit := f.take(1)
	if !f.ok || digit[0] < least || digit[0] > most {
		f.ok = false
		return
	}
	f.take(int(digit[0]-'0') + more)
}

// next tells whether the optional field with this digit follows, and takes the
// digit.
func (f *fields) next(digit byte) bool {
	if !f.ok || f.rest == "" || f.rest[0] != digit {
		return false
	}
	f.rest = f.rest[1:]
	return true
}

// company takes the company prefix of a further purchase; 9 says that it is the
// same as before.
func (f *fields) company() {
	if !f.next('9') {
		f.sized('0', '6', 6)
	}
}

// purchase takes what must be bought: how much, of what kind, which family.
func (f *fields) purchase() {
	f.sized('1', '5', 0)
	f.one("012349")
	f.take(3)
}

// date takes a date of six digits with a day.
func (f *fields) date() string {
	date := f.take(6)
	if f.ok && checkDay(date, false) != "" {
		f.ok = false
	}
	return date
}

// isCoupon tells whether digits are a coupon of AI 8110, as the North American
// Coupon Application Guideline lays it out.
func isCoupon(digits string) bool {
	f := &fields{digits, allDigits(digits)}
	f.sized('0', '6', 6) // company prefix
	f.take(6)            // offer code
	f.sized('1', '5', 0) // what it saves
	f.purchase()
	if f.next('1') {
		f.one("0123") // how the purchases are combined
		f.purchase()
		f.company()
	}
	if f.next('2') {
		f.purchase()
		f.company()
	}
	end := ""
	if f.next('3') {
		end = f.date()
	}
	if f.next('4') {
		if start := f.date(); end != "" && start > end {
			return false
		}
	}
	if f.next('5') {
		f.sized('0', '9', 6) // serial number
	}
	if f.next('6') {
		f.sized('1', '7', 6) // the shop's company prefix or GLN
	}
	if f.next('9') {
		f.one("01256") // what kind of saving
		f.one("012")   // on which item
		f.take(1)      // only in this shop
		f.one("01")    // not to be multiplied
	}
	return f.ok && f.rest == ""
}

// isOffer tells whether digits are a coupon of AI 8112, which names an offer in
// a file.
func isOffer(digits string) bool {
	f := &fields{digits, allDigits(digits)}
	f.one("01")          // format
	f.sized('0', '6', 6) // who pays
	f.take(6)            // offer code
	f.sized('0', '9', 6) // serial number
	return f.ok && f.rest == ""
}
