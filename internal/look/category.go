package look

import (
	"embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"unicode"

	"holdfast.dev/stock/words"
)

//go:embed glyphs/*.svg
var glyphs embed.FS

// kind is one family of products with a picture of its own.
type kind struct {
	glyph string
	names map[words.Lang]string
	says  string // the words in a category's name that mean this kind
}

// kinds is searched from the top: what a thing is made into comes before what
// it is made of, so that frozen fish is frozen and cheese sauce is a sauce.
var kinds = []kind{
	{"frozen", four("Diepvries", "Frost", "Tiefkühl", "Frozen"), "frozen ice"},
	{"baby", four("Baby", "Baby", "Baby", "Baby"), "baby infant toddler"},
	{"pets", four("Dieren", "Dyr", "Tierbedarf", "Pets"), "pet pets dog dogs cat cats bird"},
	{"coffee", four("Koffie en thee", "Kaffe og te", "Kaffee und Tee", "Coffee and tea"),
		"coffee tea teas espresso cocoa"},
	{"alcohol", four("Bier en wijn", "Øl og vin", "Bier und Wein", "Beer and wine"),
		"beer beers wine wines alcohol spirits cider liqueur"},
	{"drinks", four("Dranken", "Drikkevarer", "Getränke", "Drinks"),
		"drink drinks juice juices water waters soda sodas lemonade beverage beverages smoothie smoothies"},
	{"household", four("Huishouden", "Husholdning", "Haushalt", "Household"),
		"household cleaning laundry detergent paper"},
	{"care", four("Verzorging", "Personlig pleje", "Körperpflege", "Personal care"),
		"care beauty health hygiene soap shampoo cosmetics dental"},
	{"home", four("Huis en tuin", "Hus og have", "Haus und Garten", "Home and garden"),
		"home garden plants flowers stationery battery batteries lamp lamps toys textile"},
	{"breakfast", four("Ontbijt en broodbeleg", "Morgenmad og pålæg", "Frühstück und Aufstriche", "Breakfast and spreads"),
		"breakfast cereal cereals muesli granola jam jelly honey syrup syrups butters oatmeal porridge"},
	{"pantry", four("Voorraadkast", "Kolonial", "Vorrat", "Pantry"),
		"pantry sauce sauces canned bottled tinned ketchup mustard pickles olives pasta rice noodles oil oils " +
			"vinegar seasoning seasonings spices herbs baking flour sugar sweeteners soup soups beans dressing " +
			"mayonnaise mexican oriental grains mixes mix broth gravy tomatoes salt"},
	{"snacks", four("Snacks en snoep", "Snacks og slik", "Snacks und Süßes", "Snacks and sweets"),
		"snack snacks sweet sweets candy chocolate cookies biscuits biscotti crackers chips pretzels popcorn " +
			"peanuts nuts bars gum confectionery wholesome"},
	{"meals", four("Kant-en-klaar", "Færdigretter", "Fertiggerichte", "Ready meals"),
		"meal meals ready dinner dinners pizza pizzas prepared entrees appetizers dips dip salsa deli sandwich " +
			"sandwiches lasagna salads vegetarian"},
	{"fish", four("Vis", "Fisk", "Fisch", "Fish"), "fish seafood salmon tuna shrimp"},
	{"meat", four("Vlees en gevogelte", "Kød og fjerkræ", "Fleisch und Geflügel", "Meat and poultry"),
		"meat meats poultry chicken beef pork sausage sausages hotdogs ham bacon turkey cuts pepperoni"},
	{"cheese", four("Kaas", "Ost", "Käse", "Cheese"), "cheese cheeses"},
	{"dairy", four("Zuivel en eieren", "Mejeri og æg", "Milch und Eier", "Dairy and eggs"),
		"dairy milk yogurt yoghurt yogurts butter cream eggs egg pudding puddings custard"},
	{"bread", four("Brood en gebak", "Brød og kager", "Brot und Gebäck", "Bread and pastry"),
		"bread breads buns bakery pastry pastries cake cakes cupcakes croissants muffins tortillas pies"},
	{"produce", four("Groente en fruit", "Frugt og grønt", "Obst und Gemüse", "Fruit and vegetables"),
		"fruit fruits vegetable vegetables produce potatoes salad"},
}

func four(nl, da, de, en string) map[words.Lang]string {
	return map[words.Lang]string{words.NL: nl, words.DA: da, words.DE: de, words.EN: en}
}

// byWord finds a kind by one word of a category's name.
var byWord = sync.OnceValue(func() map[string]int {
	found := map[string]int{}
	for i, k := range kinds {
		for _, word := range strings.Fields(k.says) {
			if _, taken := found[word]; taken {
				panic("two kinds claim " + word)
			}
			found[word] = i
		}
	}
	return found
})

// kindOf returns the first kind that a word of the category means.
func kindOf(category string) (kind, bool) {
	for _, k := range kinds {
		if strings.EqualFold(category, k.names[words.EN]) || strings.EqualFold(category, k.glyph) {
			return k, true
		}
	}
	best := len(kinds)
	letters := func(r rune) bool { return !unicode.IsLetter(r) }
	for _, word := range strings.FieldsFunc(strings.ToLower(category), letters) {
		if i, found := byWord()[word]; found {
			best = min(best, i)
		}
	}
	if best == len(kinds) {
		return kind{glyph: "other"}, false
	}
	return kinds[best], true
}

// CategoryName gives the category in a reader's language when it is exactly one
// of ours, and as it is otherwise: a foreign catalogue keeps its own words.
func CategoryName(category, lang string) string {
	for _, k := range kinds {
		if strings.EqualFold(category, k.names[words.EN]) {
			if name, known := k.names[words.Lang(lang)]; known {
				return name
			}
		}
	}
	return category
}

// category gives the picture of a product category as inline SVG, for templates;
// size is "small", "big" or left out. It knows the categories of the
// demonstration and the usual English words of product catalogues; anything
// else gets a box.
func category(name string, size ...string) template.HTML {
	class := ""
	if len(size) > 0 && size[0] != "" {
		class = " pictogram-" + template.HTMLEscapeString(size[0])
	}
	return pictogram(name, class)
}

func pictogram(name, class string) template.HTML {
	k, _ := kindOf(name)
	return template.HTML(`<svg class="pictogram` + class + `" viewBox="0 0 64 64" aria-hidden="true">` +
		drawing(k.glyph) + `</svg>`)
}

func drawing(glyph string) string {
	svg, err := glyphs.ReadFile("glyphs/" + glyph + ".svg")
	if err != nil {
		panic(fmt.Errorf("read embedded glyph: %w", err))
	}
	return strings.ReplaceAll(string(svg), "\n", "")
}
