package look

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"holdfast.dev/stock/words"
)

func TestCategoriesOfManyCataloguesHaveAPicture(t *testing.T) {
	tests := map[string]string{
		"Fruit and vegetables": "produce", "Bread and pastry": "bread", "Dairy and eggs": "dairy", "Cheese": "cheese",
		"Meat and poultry": "meat", "Fish": "fish", "Ready meals": "meals", "Frozen": "frozen", "Pantry": "pantry",
		"Breakfast and spreads": "breakfast", "Snacks and sweets": "snacks", "Drinks": "drinks",
		"Coffee and tea": "coffee", "Beer and wine": "alcohol", "Household": "household", "Personal care": "care",
		"Baby": "baby", "Pets": "pets", "Home and garden": "home",
		// as other catalogues say it
		"Popcorn, Peanuts, Seeds & Related Snacks": "snacks", "Ice Cream & Frozen Yogurt": "frozen",
		"Frozen Fish & Seafood": "frozen", "Ketchup, Mustard, BBQ & Cheese Sauce": "pantry",
		"Fruit & Vegetable Juice, Nectars & Fruit Drinks": "drinks", "Plant Based Milk": "dairy",
		"Jam, Jelly & Fruit Spreads": "breakfast", "Butter & Spread": "dairy", "Canned Vegetables": "pantry",
		"Breads & Buns": "bread", "Tea Bags": "coffee", "Sausages, Hotdogs & Brats": "meat", "Pizza": "meals",
		"": "other", "Spare parts": "other",
	}
	for category, want := range tests {
		if got, _ := kindOf(category); got.glyph != want {
			t.Errorf("%q is drawn as %s, want %s", category, got.glyph, want)
		}
	}
}

func TestEveryPictureIsSoundSVG(t *testing.T) {
	for _, k := range append(kinds, kind{glyph: "other"}) {
		svg := string(pictogram(k.glyph, ""))
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", k.glyph, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("%s has attribute %s", k.glyph, a.Name.Local)
					}
				}
			}
		}
	}
}

func TestCategoriesSpeakFourLanguagesAndLeaveForeignOnesAlone(t *testing.T) {
	for _, k := range kinds {
		for _, lang := range words.Langs() {
			if k.names[lang] == "" {
				t.Errorf("%s has no %s name", k.glyph, lang)
			}
		}
	}
	for _, test := range []struct{ category, lang, want string }{
		{"Fish", "de", "Fisch"}, {"Beer and wine", "da", "Øl og vin"}, {"Tea Bags", "nl", "Tea Bags"}, {"Fish", "fr", "Fish"},
	} {
		if got := CategoryName(test.category, test.lang); got != test.want {
			t.Errorf("%s in %s is %q, want %q", test.category, test.lang, got, test.want)
		}
	}
}
