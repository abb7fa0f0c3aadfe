// Package tools pins what checks the Helm chart. `make chart` builds it, into .tools.
package tools

// The types that the Prometheus operator's schemas are generated from.
import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
