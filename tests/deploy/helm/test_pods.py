"""What the pods are: who may reach them, what they may do, when they go and how they stop."""

from __future__ import annotations

from typing import Any

import pytest

from hasura_kc_auth import __version__
from tests.deploy.helm.chart import LEAST, ci, container, variables

pytestmark = pytest.mark.helm

BOTH = ("standalone", "sidecar")
each_mode = pytest.mark.parametrize("mode", BOTH)


def pod_of(rendered: dict[str, Any]) -> dict[str, Any]:
    return dict(rendered["Deployment"]["spec"]["template"]["spec"])


# --- where it listens, and who may ask


def test_a_sidecars_webhook_is_on_loopback_and_in_no_service(chart):
    rendered = chart.render(ci("sidecar"))
    engine = pod_of(rendered)["containers"][0]

    assert variables(container(rendered))["HASURA_KC_AUTH__WEBHOOK__HOST"] == "127.0.0.1"
    assert variables(engine)["HASURA_GRAPHQL_AUTH_HOOK"] == "http://127.0.0.1:8090/"
    assert [it["targetPort"] for it in rendered["Service"]["spec"]["ports"]] == ["http"]


def test_hasura_is_told_where_the_settings_put_the_webhook(chart):
    engine = pod_of(chart.render(ci("everything-sidecar")))["containers"][0]

    told = variables(engine)
    assert told["HASURA_GRAPHQL_AUTH_HOOK"] == "http://[::1]:9090/auth"
    assert told["HASURA_GRAPHQL_AUTH_HOOK_MODE"] == "POST"
    assert told["HASURA_GRAPHQL_SERVER_PORT"] == "8888"


def test_a_service_of_its_own_speaks_tls_by_default(chart):
    rendered = chart.render(ci("standalone"))

    (volume,) = [it for it in pod_of(rendered)["volumes"] if "secret" in it]
    assert volume["secret"] == {"secretName": "auth-hasura-kc-auth-tls"}
    (port,) = rendered["Service"]["spec"]["ports"]
    assert (port["targetPort"], port["appProtocol"]) == ("auth-http", "https")


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        pytest.param(
            "standalone",
            [
                (8090, [{"podSelector": {"matchLabels": {"app": "hasura-graphql-engine"}}}]),
                (8091, "monitoring"),
            ],
            id="only Hasura, and Prometheus",
        ),
        pytest.param("sidecar", [(8080, None), (8091, "monitoring")], id="Hasura is for everybody"),
        pytest.param(
            "everything-sidecar",
            [(8888, "ingress"), (9091, "monitoring")],
            id="Hasura is for the ingress",
        ),
    ],
)
def test_the_network_admits_only_these(chart, values, rules):
    policy = chart.render(ci(values))["NetworkPolicy"]["spec"]

    def peers(name: Any) -> Any:
        if not isinstance(name, str):
            return name
        label = {"kubernetes.io/metadata.name": name}
        return [{"namespaceSelector": {"matchLabels": label}}]

    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": port}],
            **({} if who is None else {"from": peers(who)}),
        }
        for port, who in rules
    ]


def test_without_a_prometheus_nobody_may_read_metrics(chart):
    policy = chart.render(LEAST, {"networkPolicy": {"prometheus": []}})["NetworkPolicy"]["spec"]

    assert [it["ports"][0]["port"] for it in policy["ingress"]] == [8090]


@each_mode
def test_port_names_do_not_collide(chart, mode):
    pod = pod_of(chart.render(ci(mode)))
    names = [
        port["name"]
        for it in (*pod.get("initContainers", ()), *pod["containers"])
        for port in it["ports"]
    ]

    assert names == ["auth-http", "auth-metrics", *(["http"] if mode == "sidecar" else [])]


# --- what a pod may do


@each_mode
def test_a_pod_has_no_token_no_root_and_nothing_to_write_to(chart, mode):
    rendered = chart.render(ci(mode))
    pod = pod_of(rendered)

    assert pod["automountServiceAccountToken"] is False
    assert rendered["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert container(rendered)["securityContext"] == {
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@each_mode
def test_every_mount_is_read_only_and_has_its_volume(chart, mode):
    rendered = chart.render(ci(f"everything-{mode}"))
    mounts = [it for it in container(rendered)["volumeMounts"] if it["name"] != "scratch"]

    assert all(it["readOnly"] for it in mounts)
    assert {it["name"] for it in mounts} <= {it["name"] for it in pod_of(rendered)["volumes"]}
    assert "/run/secrets/hasura-kc-auth/introspection" in [it["mountPath"] for it in mounts]


def test_a_secret_that_is_named_twice_is_mounted_once(chart):
    rendered = chart.render(
        LEAST, {"existingSecrets": ["both", "both"], "tls": {"existingSecret": "both"}}
    )

    paths = [it["mountPath"] for it in container(rendered)["volumeMounts"]]
    assert paths == ["/etc/hasura-kc-auth", "/run/secrets/hasura-kc-auth/both"]


# --- which image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, f"ghcr.io/hasura-kc-auth/hasura-kc-auth:{__version__}"),
        ({"tag": "1.2.3"}, "ghcr.io/hasura-kc-auth/hasura-kc-auth:1.2.3"),
        (
            {"repository": "r", "tag": "1.2.3", "digest": f"sha256:{'0' * 64}"},
            f"r@sha256:{'0' * 64}",
        ),
    ],
)
def test_the_image_is_this_versions_unless_said_otherwise(chart, image, expected):
    assert container(chart.render(LEAST, {"image": image}))["image"] == expected


# --- when it is replaced


@each_mode
@pytest.mark.parametrize(
    ("change", "rolls"),
    [
        pytest.param({"config": {"cache": {"ttl": "30s"}}}, True, id="a setting"),
        pytest.param({"config": {"webhook": {"port": 9999}}}, True, id="a port"),
        pytest.param({"existingSecrets": ["more"]}, True, id="a Secret"),
        pytest.param({"service": {"annotations": {"a": "b"}}}, False, id="the Service"),
        pytest.param({"networkPolicy": {"clients": [{"podSelector": {}}]}}, False, id="a policy"),
    ],
)
def test_a_changed_configuration_replaces_the_pods(chart, mode, change, rolls):
    before, after = (
        chart.render(ci(mode), it)["Deployment"]["spec"]["template"] for it in ({}, change)
    )

    assert (before != after) is rolls


def test_the_pods_file_is_what_its_annotation_sums_up(chart):
    sums = set()
    for ttl in ("30s", "31s"):
        template = chart.render(LEAST, {"config": {"cache": {"ttl": ttl}}})["Deployment"]["spec"]
        sums.add(template["template"]["metadata"]["annotations"]["checksum/config"])

    assert len(sums) == 2


# --- how it stops


@pytest.mark.parametrize(
    ("mode", "values", "grace"),
    [
        pytest.param("standalone", {}, 30, id="at least what Kubernetes gives"),
        pytest.param("standalone", {"config": {"webhook": {"drain": "26s"}}}, 31, id="seconds"),
        pytest.param("standalone", {"config": {"webhook": {"drain": "2m"}}}, 125, id="minutes"),
        pytest.param("standalone", {"config": {"webhook": {"drain": "30001ms"}}}, 36, id="ms"),
        pytest.param("standalone", {"terminationGracePeriodSeconds": 10}, 10, id="as written"),
        pytest.param("sidecar", {}, 70, id="Hasura first, then nobody asks"),
        pytest.param(
            "sidecar",
            {"hasura": {"preStopSleepSeconds": 20, "gracefulShutdownSeconds": 10}},
            35,
            id="Hasura's own times",
        ),
    ],
)
def test_the_grace_time_is_long_enough(chart, mode, values, grace):
    pod = pod_of(chart.render(ci(mode), values))

    assert pod["terminationGracePeriodSeconds"] == grace


def test_a_sidecar_starts_before_hasura_and_stops_after_it(chart):
    pod = pod_of(chart.render(ci("sidecar")))

    (auth,), (engine,) = pod["initContainers"], pod["containers"]
    assert auth["restartPolicy"] == "Always"
    assert auth["startupProbe"]["httpGet"] == {"path": "/livez", "port": "auth-metrics"}
    assert engine["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert variables(engine)["HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT"] == "60"


@each_mode
def test_probes_ask_the_management_listener(chart, mode):
    auth = container(chart.render(ci(mode)))

    assert auth["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "auth-metrics"}
    assert auth["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "auth-metrics"}


# --- where it runs


def test_pods_spread_over_zones_and_nodes(chart):
    rendered = chart.render(ci("standalone"))

    labels = rendered["Deployment"]["spec"]["selector"]
    assert [
        (it["topologyKey"], it["labelSelector"])
        for it in pod_of(rendered)["topologySpreadConstraints"]
    ] == [("topology.kubernetes.io/zone", labels), ("kubernetes.io/hostname", labels)]


def test_the_autoscaler_is_left_the_number_of_pods(chart):
    rendered = chart.render(LEAST, {"autoscaling": {"enabled": True}})

    assert "replicas" not in rendered["Deployment"]["spec"]
    (metric,) = rendered["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["name"] == "cpu"


def test_a_node_can_be_drained_whatever_the_number_of_pods(chart):
    budget = chart.render(LEAST, {"replicaCount": 1})["PodDisruptionBudget"]["spec"]

    assert (budget["maxUnavailable"], budget.get("minAvailable")) == (1, None)
