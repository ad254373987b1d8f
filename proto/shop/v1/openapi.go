package shopv1

import _ "embed"

//go:embed shop.swagger.json
var openAPI []byte

// OpenAPI is the REST form of Shop and HeadOffice as an OpenAPI 2 document. The
// caller must not change it.
func OpenAPI() []byte { return openAPI }
