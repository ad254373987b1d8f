package shopfloor

import recordv1 "holdfast.dev/proto/record/v1"

// reservationIn returns the id of the reservation that a record is about.
func reservationIn(rec *recordv1.Record) []byte {
	switch v := rec.GetBody().(type) {
	case *recordv1.Record_Accept:
		return v.Accept.GetReserve().GetReservation()
	case *recordv1.Record_CollectByToken:
		return v.CollectByToken.GetReserve().GetReservation()
	case *recordv1.Record_Pick:
		return v.Pick.GetReservation()
	case *recordv1.Record_Stage:
		return v.Stage.GetReservation()
	case *recordv1.Record_Collect:
		return v.Collect.GetReservation()
	case *recordv1.Record_Release:
		return v.Release.GetReservation()
	case *recordv1.Record_Shortage:
		return v.Shortage.GetReservation()
	case *recordv1.Record_Replace:
		return v.Replace.GetReservation()
	case *recordv1.Record_Extend:
		return v.Extend.GetReservation()
	}
	return nil
}
