#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: builds Lamina with its CUDA module, tests it, measures it. Nothing is fetched.
#
#   bench/on_gpu.sh                          # everything, in under 9 minutes
#   bench/on_gpu.sh build bench              # some of: build kernels tests sanitizer bench
#   MINUTES=20 bench/on_gpu.sh               # with more time, all of which the benchmark gets
#
# Needs nvcc, a C++20 compiler, cmake, and a Python (PYTHON=...) with numpy, cupy, pybind11, nanobind, tqdm,
# safetensors, ml_dtypes and pytest; takes ninja where it is, and PyTorch to compare with. Writes
# bench/results/<gpu>.json and .md and prints the table last. Logs are in build/gpu (BUILD=...). A part that fails, or
# runs out of its time, does not keep the next from running; the exit status is that of the worst.
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
out=${BUILD:-$PWD/build/gpu}
python=${PYTHON:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd) || exit 2 # the parts want it absolute
touch "$out/began"
export PYTHONUNBUFFERED=1 MPLBACKEND=Agg CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
unset LAMINA_EMULATOR LAMINA_EMULATED_MODULE LAMINA_ISA LAMINA_KERNEL_TESTS LAMINA_SANITIZED LAMINA_SCHEDULES
deadline=$((${MINUTES:-9} * 60 - 20)) # seconds since the start
parts=${*:-build kernels tests sanitizer bench}
worst=0
summary=()
export SKIPPED=77 # a part's exit status that says so

wanted() { [[ " $parts " == *" $1 "* ]]; }

# part NAME MOST LEFT COMMAND...: runs a command for at most MOST seconds, and so that LEFT seconds stay for the others.
part() {
  local name=$1 most=$2 left=$3 status=0 began=$SECONDS
  shift 3
  local limit=$((deadline - SECONDS - left))
  if ((limit > most)); then limit=$most; fi
  printf '\n== %s (at %d s, for at most %d s)\n' "$name" "$SECONDS" "$limit"
  if ((limit < 5)); then
    status=124
  else
    # An interrupt first: pytest and the benchmark then say what they have.
    timeout --signal=INT --kill-after=10 "$limit" "$@" || status=$?
  fi
  local said="ok"
  if ((status == 124 || status == 137)); then
    said="its time was up"
  elif ((status == SKIPPED)); then
    status=0 said="not supported on this machine: skipped"
  elif ((status != 0)); then
    said="failed with $status"
  fi
  summary+=("$(printf '%-10s %4d s  %s' "$name" $((SECONDS - began)) "$said")")
  if ((status > worst)); then worst=$status; fi
  return 0
}

parts_said() {
  printf '\n== parts\n'
  if ((${#summary[@]})); then printf '%s\n' "${summary[@]}"; fi
}

logged() { # log, lines, command: the whole output goes to a file, the end of it here
  local log=$1 lines=$2 status=0
  shift 2
  "$@" >"$log" 2>&1 || status=$?
  tail -n "$lines" "$log"
  return "$status"
}
export -f logged

# What there is. Without these nothing can begin.
nvidia-smi -L || { echo "no NVIDIA GPU here"; exit 2; }
nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
if [ -z "$nvcc" ]; then
  echo "no nvcc here"
  exit 2
fi
PATH=$PATH:$(dirname "$nvcc") # compute-sanitizer lies beside it
"$nvcc" --version | tail -n 2 | head -n 1
"$python" - <<'PYTHON' || exit 2
import importlib.util
import sys

def lacking(names):
    return [name for name in names if importlib.util.find_spec(name) is None]

print("Python", sys.version.split()[0])
needed = lacking(["numpy", "cupy", "pybind11", "nanobind", "tqdm", "safetensors", "ml_dtypes"])
if needed:
    sys.exit(f"Lamina cannot be built or imported here without {', '.join(needed)}")
if more := lacking(["pytest", "xdist", "torch", "hypothesis", "psutil", "threadpoolctl", "matplotlib", "sklearn",
                    "statsmodels", "PIL"]):
    print(f"not here, and what needs it is skipped: {', '.join(more)}")
PYTHON
has() { "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$1') is None)"; }

export PYTHONPATH=$out/site:$PWD/tests:$PWD
build() {
  rm -rf "$out/site" # what was built before is not to be tested where this fails
  "$python" -m cmake --version >/dev/null 2>&1 && cmake=("$python" -m cmake) || cmake=(cmake)
  local ninja=()
  if command -v ninja >/dev/null; then ninja=(-G Ninja); fi
  CUDACXX=$nvcc "${cmake[@]}" -S . -B "$out/build" "${ninja[@]}" -DCMAKE_BUILD_TYPE=Release -DLAMINA_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES=native -DLAMINA_UNITY=OFF -DPython_EXECUTABLE="$(command -v "$python")" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)"
  "${cmake[@]}" --build "$out/build" --parallel "$CMAKE_BUILD_PARALLEL_LEVEL"
  mkdir -p "$out/site"
  cp -r python/lamina "$out/site/"
  rm -f "$out"/site/lamina/_c*.so # another machine's, perhaps
  "${cmake[@]}" --install "$out/build" --prefix "$out/site" --component python
  "$python" -c '
import sys
import lamina
from lamina import _cuda
assert lamina.__file__.startswith(sys.argv[1]), lamina.__file__
print(lamina.__file__, _cuda.status())
assert _cuda.device_count() > 0, "the module sees no GPU"' "$out"
}
export -f build
export out python nvcc
if wanted build; then part build 240 60 bash -c 'logged "$out/build.log" 12 bash -euo pipefail -c build'; fi
if ! "$python" -c 'import lamina._cuda' 2>/dev/null; then
  parts_said
  echo "the CUDA module was not built: see $out/build.log"
  exit 1
fi

several=() few=()
if has xdist; then
  several=(-n "$(($(nproc) < 8 ? $(nproc) : 8))" --dist worksteal)
  few=(env LAMINA_NUM_THREADS=2 OMP_NUM_THREADS=2) # threads of each process
fi
pytest=("$python" -m pytest -p no:cacheprovider -p no:benchmark --tb=short --no-header -rfE -W default)

of_emulator=(--ignore=tests/cuda/test_planted.py --ignore=tests/cuda/test_accesses.py) # they compile one

# Every kernel on the GPU, against the CPU's bits.
if wanted kernels; then
  LAMINA_KERNEL_TESTS=gpu LAMINA_SCHEDULES=2 part kernels 90 200 bash -c 'logged "$out/kernels.log" 40 "$@"' - \
    "${few[@]}" "${pytest[@]}" "${several[@]}" "${of_emulator[@]}" tests/cuda tests/test_cuda_module.py
fi

# The whole suite, with the GPU as a further device. Parity with Keras and PyTorch is a matter of the CPU.
if wanted tests; then
  skipped=(--ignore=tests/parity --ignore=tests/cuda --ignore=tests/tools)
  for module in hypothesis psutil threadpoolctl PIL; do
    if ! has "$module"; then
      for file in $(grep -rlE --include='*.py' "^ *(import|from) $module" tests); do skipped+=("--ignore=$file"); done
    fi
  done
  part tests 150 200 bash -c 'logged "$out/tests.log" 40 "$@"' - \
    "${few[@]}" "${pytest[@]}" "${several[@]}" --continue-on-collection-errors -m "not slow" "${skipped[@]}" tests
fi

# compute-sanitizer: its four tools at once, each over the same few kernels.
sanitizers() {
  local tool pids=() tools=(memcheck racecheck initcheck synccheck) status=0 supported=0 i
  for tool in "${tools[@]}"; do
    timeout --kill-after=3 75 \
      compute-sanitizer --tool "$tool" --error-exitcode 99 --print-limit 5 --target-processes all \
      "$@" >"$out/sanitizer-$tool.log" 2>&1 &
    pids+=($!)
  done
  trap 'kill -TERM "${pids[@]}" 2>/dev/null' INT TERM
  for i in "${!tools[@]}"; do
    local one=0 log=$out/sanitizer-${tools[$i]}.log
    wait "${pids[$i]}" || one=$?
    if grep -qiE '^=========.*not supported' "$log"; then
      echo "${tools[$i]}: not supported on this machine"
    else
      supported=1
      echo "${tools[$i]}: exit status $one; $(grep -hE '(ERROR|RACECHECK) SUMMARY' "$log" || echo "no summary")"
      grep -hE '^(=========.*(Invalid|Race|Uninitialized|Barrier)|[0-9]+ (passed|failed))' "$log" | head -n 5
      if ((one > status)); then status=$one; fi
    fi
  done
  if ((!supported)); then status=$SKIPPED; fi
  return "$status"
}
export -f sanitizers
if wanted sanitizer; then
  if command -v compute-sanitizer >/dev/null; then
    LAMINA_KERNEL_TESTS=gpu LAMINA_SCHEDULES=1 part sanitizer 80 170 bash -c 'sanitizers "$@"' - \
      "${pytest[@]}" -x "${of_emulator[@]}" tests/cuda -k "float32 and (rows or sums or norms or pools or softmax or gemm)"
  else
    summary+=("sanitizer    0 s  compute-sanitizer is not here: skipped")
  fi
fi

if wanted bench; then
  part bench 3600 0 bash -c 'logged "$out/bench.log" 3 "$@"' - \
    "$python" -m bench.gpu --limit $((deadline - SECONDS - 20)) --output "${OUTPUT:-bench/results}"
fi

parts_said
if wanted bench; then
  name=$("$python" -c 'import cupy; from bench.gpu import file_name
print(file_name(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()))')
  table=${OUTPUT:-bench/results}/$name.md
  if [ "$table" -nt "$out/began" ]; then # not an earlier run's
    cat "$table"
  else
    echo "nothing was measured: see $out/bench.log"
  fi
fi
exit "$worst"
