package locker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	sim "holdfast.dev/firmware-sim/locker"
	"holdfast.dev/firmware-sim/wire"
	"holdfast.dev/hardware"
	"holdfast.dev/hardware/hardwaretest"
	"holdfast.dev/hardware/locker"
)

// kind is a locker to test: two boards of four doors.
type kind struct {
	sim    sim.Options
	driver locker.Config
}

func kinds() map[string]kind {
	all := map[string]kind{}
	for _, dialect := range []string{sim.CU16, sim.CU48, sim.Board24} {
		all[dialect] = made(dialect)
	}
	legacy := made(sim.CU16)
	legacy.sim.Legacy = true
	all["cu16 with the other layout"] = legacy
	reversed := made(sim.Board24)
	reversed.sim.Reversed, reversed.driver.Reversed = true, true
	all["board24 with reversed sensors"] = reversed
	return all
}

func made(dialect string) kind {
	return kind{
		sim: sim.Options{Dialect: dialect, Boards: []int{1, 3}, Doors: 4},
		driver: locker.Config{Dialect: dialect,
			Boards: []locker.Board{{Address: 1, Locks: 4}, {Address: 3, Locks: 4}}},
	}
}

var (
	door  = hardware.Door{Board: 3, Lock: 2}
	other = hardware.Door{Board: 1, Lock: 4}
)

func rig(t *testing.T, k kind, spoil *hardwaretest.Spoil) (hardwaretest.LockerRig, *sim.Locker) {
	t.Helper()
	port, far := hardwaretest.Pipe(time.Second)
	device, err := sim.On(far, k.sim)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := locker.New(spoil.On(port), k.driver)
	if err != nil {
		t.Fatal(err)
	}
	is := func(targets ...error) func(error) bool {
		return func(err error) bool {
			for _, target := range targets {
				if errors.Is(err, target) {
					return true
				}
			}
			return false
		}
	}
	touched := is(locker.ErrStuck, locker.ErrUnsure)
	return hardwaretest.LockerRig{
		Locker: driver, Door: door, Other: other,
		IsOpen:    func() bool { return !at(device).Closed },
		Pulses:    func() int { return at(device).Pulses },
		Useless:   func() int { return at(device).Useless },
		Closest:   device.Closest,
		Shut:      func() { device.Shut(door.Board, door.Lock) },
		Stick:     func(stuck bool) { device.Stick(door.Board, door.Lock, stuck) },
		Untouched: func(err error) bool { return !touched(err) },
		Stuck:     is(locker.ErrStuck),
		Unplug:    func() { device.Close() },
	}, device
}

// at is the door that the tests open.
func at(device *sim.Locker) sim.Door {
	for _, d := range device.Doors() {
		if d.Board == door.Board && d.Lock == door.Lock {
			return d
		}
	}
	return sim.Door{}
}

func TestLockersKeepTheContract(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			hardwaretest.TestLocker(t,
				func(t *testing.T, spoil *hardwaretest.Spoil) hardwaretest.LockerRig {
					r, _ := rig(t, k, spoil)
					return r
				})
		})
	}
}

// run runs a driver until the bubble ends.
func run(t *testing.T, r hardwaretest.LockerRig, told func(hardware.DoorStatus)) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, told) }()
	synctest.Wait()
	t.Cleanup(func() { cancel(); <-ended; r.Unplug() })
}

func TestAnAdapterThatGivesBackWhatIsSentDoesNoHarm(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, device := rig(t, k, &hardwaretest.Spoil{})
				device.Cable.SetFaults(wire.Faults{Echo: true})
				run(t, r, func(hardware.DoorStatus) {})
				if err := r.Open(t.Context(), door); err != nil {
					t.Error(err)
				}
				if got := at(device); got.Closed || got.Pulses != 1 {
					t.Errorf("the door is %+v", got)
				}
			})
		})
	}
}

func TestADoorThatMustBePulledIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := made(sim.CU16)
		k.sim.Pulled = true
		r, device := rig(t, k, &hardwaretest.Spoil{})
		run(t, r, func(hardware.DoorStatus) {})
		go func() {
			for at(device).Pulses == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(3 * time.Second)
			device.Pull(door.Board, door.Lock)
		}()
		if err := r.Open(t.Context(), door); err != nil || at(device).Pulses != 1 {
			t.Errorf("got %v after %d pulses", err, at(device).Pulses)
		}
	})
}

func TestADeadBoardDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, device := rig(t, made(sim.CU16), &hardwaretest.Spoil{})
		if err := device.SetBoard(other.Board, false); err != nil {
			t.Fatal(err)
		}
		run(t, r, func(hardware.DoorStatus) {})
		if err := r.Open(t.Context(), other); !errors.Is(err, hardware.ErrTimeout) || !r.Untouched(err) {
			t.Errorf("a door of the dead board: %v", err)
		}
		if err := r.Open(t.Context(), door); err != nil {
			t.Errorf("a door of the other: %v", err)
		}
	})
}

func TestItemSensorsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, device := rig(t, made(sim.CU16), &hardwaretest.Spoil{})
		items := make(chan bool, 100)
		run(t, r, func(d hardware.DoorStatus) {
			if d.Door == door {
				items <- d.Item
			}
		})
		if <-items {
			t.Error("an empty compartment is full")
		}
		device.Fill(door.Board, door.Lock, true)
		if !<-items {
			t.Error("a full compartment is empty")
		}
	})
}

// TestNoiseNeverLies opens and shuts doors on bad lines, as chance has it.
func TestNoiseNeverLies(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 12
	}
	for name, k := range kinds() {
		for seed := range seeds {
			t.Run(fmt.Sprint(name, " seed ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { noisy(t, k, uint64(seed)) })
			})
		}
	}
}

func noisy(t *testing.T, k kind, seed uint64) {
	luck := rand.New(rand.NewPCG(seed, 7))
	k.sim.Seed = seed
	r, device := rig(t, k, &hardwaretest.Spoil{})
	device.Cable.SetFaults(wire.Faults{Flip: luck.IntN(15), Lose: luck.IntN(15),
		Burst: luck.IntN(300), Echo: luck.IntN(2) == 0})
	run(t, r, func(hardware.DoorStatus) {})
	for range 12 {
		device.Stick(door.Board, door.Lock, luck.IntN(4) == 0)
		before := at(device)
		err := r.Open(t.Context(), door)
		after := at(device)
		switch driven := after.Pulses - before.Pulses; {
		case err == nil && after.Closed:
			t.Fatalf("open, it says: %+v", after)
		case err != nil && r.Stuck(err) && !after.Closed:
			t.Fatalf("%v, and it is open", err)
		case err != nil && r.Untouched(err) && driven > 0:
			t.Fatalf("%v, and the coil was driven", err)
		case driven > 2 || after.Useless > 0:
			t.Fatalf("%d pulses, useless %d", driven, after.Useless)
		}
		if luck.IntN(3) > 0 {
			device.Shut(door.Board, door.Lock)
			time.Sleep(time.Duration(luck.IntN(2000)) * time.Millisecond)
		}
	}
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	board := []locker.Board{{Address: 0, Locks: 16}}
	for name, cfg := range map[string]locker.Config{
		"unknown dialect": {Dialect: "cu99", Boards: board},
		"no boards":       {Dialect: "cu16"},
		"too many locks":  {Dialect: "cu16", Boards: []locker.Board{{Address: 0, Locks: 17}}},
		"no locks":        {Dialect: "cu16", Boards: []locker.Board{{Address: 0}}},
		"wrong address":   {Dialect: "cu16", Boards: []locker.Board{{Address: 16, Locks: 1}}},
		"broadcast":       {Dialect: "board24", Boards: []locker.Board{{Address: 0, Locks: 1}}},
		"twice":           {Dialect: "cu16", Boards: append(board, board...)},
	} {
		if _, err := locker.New(nil, cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
