package fleet

// deed is a kind of thing that befalls the world.
type deed uint8

// Deeds: what people do, then what breaks.
const (
	deedSale deed = 1 + iota
	deedOrder
	deedCart
	deedTwoStores
	deedDelivery
	deedPicking
	deedShelving
	deedCounting
	deedReturning
	deedDamaging
	deedBrowsing
	deedPolicy
	deedKeys
	deedProducts
	deedCut
	deedHalfOpen
	deedStall
	deedFlap
	deedSlow
	deedCrash
	deedFullDisk
	deedClockJump
	deedClockStop
	deedLeader
	deedCloudRestart
	deedMinority
	deedCloudClock
	deedTheft
	deedAppear
	deedPoison
	deedSkew
	deedRestore
	deedLoss
	deedClone
	deedCloudRestore
	deedTillRestart
	numDeeds
)

// deeds lists what people do and how often, in parts of all.
var deeds = []struct {
	deed deed
	name string
	rate int
}{
	{deedSale, "sale", 60},
	{deedOrder, "order", 16},
	{deedCart, "cart", 3},
	{deedTwoStores, "two-stores", 2},
	{deedDelivery, "delivery", 4},
	{deedPicking, "picking", 9},
	{deedShelving, "shelving", 3},
	{deedCounting, "counting", 3},
	{deedReturning, "returning", 3},
	{deedDamaging, "damaging", 1},
	{deedBrowsing, "browsing", 2},
	{deedPolicy, "policy", 1},
	{deedKeys, "keys", 1},
	{deedProducts, "products", 1},
}

// befall starts what a stimulus says.
func (w *World) befall(s stimulus) {
	c := newChance(s.seed, uint64(s.deed))
	st := w.stores[s.store]
	act, ok := acts[s.deed]
	if !ok {
		panic("fleet: a deed that nobody does")
	}
	act(w, st, c)
}

// acts says who does each deed.
var acts = map[deed]func(*World, *store, chance){
	deedSale:      (*World).sale,
	deedOrder:     (*World).order,
	deedCart:      (*World).cart,
	deedTwoStores: (*World).twoStores,
	deedDelivery:  (*World).delivery,
	deedPicking:   (*World).picking,
	deedShelving:  (*World).shelving,
	deedCounting:  (*World).counting,
	deedReturning: (*World).returning,
	deedDamaging:  (*World).damaging,
	deedBrowsing:  (*World).browsing,
	deedPolicy:    (*World).newTerms,
	deedKeys:      (*World).newKeys,
	deedProducts:  (*World).newProducts,

	deedCut:          (*World).cut,
	deedHalfOpen:     (*World).halfOpen,
	deedStall:        (*World).stall,
	deedFlap:         (*World).flap,
	deedSlow:         (*World).slow,
	deedCrash:        (*World).crash,
	deedFullDisk:     (*World).fullDisk,
	deedClockJump:    (*World).clockJump,
	deedClockStop:    (*World).clockStop,
	deedLeader:       (*World).leader,
	deedCloudRestart: (*World).cloudRestart,
	deedMinority:     (*World).minority,
	deedCloudClock:   (*World).cloudClock,
	deedTheft:        (*World).theft,
	deedAppear:       (*World).appear,
	deedPoison:       (*World).poison,
	deedSkew:         (*World).skew,
	deedRestore:      (*World).restoring,
	deedLoss:         (*World).losing,
	deedClone:        (*World).cloning,
	deedCloudRestore: (*World).restoringCloud,
	deedTillRestart:  (*World).tillRestart,
}
