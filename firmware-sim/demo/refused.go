package demo

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// RefusalOf returns the stable code and the arguments of a refusal that an API
// answered; an empty code for anything else.
func RefusalOf(err error) (code string, args map[string]string) {
	s, ok := status.FromError(err)
	if !ok {
		return "", nil
	}
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason(), info.GetMetadata()
		}
	}
	return "", nil
}

// Refused tells whether an API refused with this code.
func Refused(err error, code string) bool {
	got, _ := RefusalOf(err)
	return got == code
}
