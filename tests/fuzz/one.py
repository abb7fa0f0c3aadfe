"""One decoder under the fuzzer, until the time is over or something is found: `one jws 60 work/`.

libFuzzer ends the process itself: 0 when the time is over, something else with a finding, which is
then a file beside the seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["hasura_kc_auth.core", "hasura_kc_auth.authenticator"]):
    from tests.fuzz.decoders import CORPUS, DECODERS

from tests.fuzz.mutating import MUTATORS

WORDS = Path(__file__).with_name("words.dict")
MAX_BYTES = 40_000


def main(decoder: str, seconds: str, work: str) -> None:
    decode, mutator = DECODERS[decoder], MUTATORS[decoder]

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        return mutator(data, max_size, Random(seed), atheris.Mutate)  # noqa: S311 - no secret

    def one_input(data: bytes) -> None:
        decode(data)

    seeds = CORPUS / decoder
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={seeds}/",
        f"-dict={WORDS}",
        "-timeout=10",
    ]
    atheris.Setup([sys.argv[0], *options, work, str(seeds)], one_input, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
