package daemon

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/crierd/crier/geoindex"
	"github.com/crierd/crier/store"
)

const maxBody = 1 << 20

// routes builds the API on a mux.
func (d *Daemon) routes(mux *http.ServeMux) {
	config := huma.DefaultConfig("crier", Version())
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}}
	// What has a JSON form of its own is described by a type of that form.
	for own, form := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[geoindex.Area]():  reflect.TypeFor[areaForm](),
		reflect.TypeFor[geoindex.Point](): reflect.TypeFor[[]float64](),
		reflect.TypeFor[store.Position](): reflect.TypeFor[[]float64](),
		reflect.TypeFor[store.Schedule](): reflect.TypeFor[string](),
		reflect.TypeFor[duration]():       reflect.TypeFor[string](),
		reflect.TypeFor[jsontext.Value](): reflect.TypeFor[map[string]any](),
	} {
		config.Components.Schemas.RegisterTypeAlias(own, form)
	}
	d.api = humago.New(mux, config)
	d.participantCalls()
	d.actionCalls()
	d.ledgerCalls()
}

// areaForm is what an area looks like.
type areaForm struct {
	Circle *struct {
		Center []float64 `json:"center" doc:"[longitude, latitude]" minItems:"2" maxItems:"2"`
		Radius float64   `json:"radius_m" doc:"metres along the WGS-84 ellipsoid"`
	} `json:"circle,omitempty"`
	Geometry *struct {
		Type        string `json:"type" enum:"Polygon,MultiPolygon"`
		Coordinates []any  `json:"coordinates" doc:"RFC 7946"`
	} `json:"geometry,omitempty"`
}

// call registers a call that a token with a scope may make. body, if not nil, is
// of the type that describes its JSON body.
func call[I, O any](d *Daemon, scope string, op huma.Operation, body any, handle func(context.Context, *I) (*O, error)) {
	op.Middlewares = huma.Middlewares{d.authorise(scope)}
	op.Security = []map[string][]string{{"bearer": {scope}}}
	op.Description = "Needs the scope " + scope + "."
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.SkipValidateBody = true // decode does
	op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity}
	huma.Register(d.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, d.problem(err)
		}
		return out, nil
	})
	if body != nil {
		schema := d.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(body).Elem(), true, op.OperationID)
		item := d.api.OpenAPI().Paths[op.Path]
		for _, o := range []*huma.Operation{item.Post, item.Put} {
			if o != nil && o.OperationID == op.OperationID {
				o.RequestBody.Content["application/json"] = &huma.MediaType{Schema: schema}
			}
		}
	}
}
