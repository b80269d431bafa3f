#include <algorithm>

#include "core/cuda/kernels/activation.cuh"
#include "core/cuda/kernels/elementwise.h"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 1 << 14;  // a multiple of what any GPU runs at once

// f.at<kVec>(i) for every group of kVec elements from i on; what is left over goes one by one.
template <int kVec, class F>
__global__ void __launch_bounds__(kThreads) each(F f, std::int64_t n) {
  wait_for_earlier_kernels();
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t groups = n / kVec;
  for (std::int64_t i = thread; i < groups; i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    f.template at<kVec>(i * kVec);
  }
  const std::int64_t rest = groups * kVec + thread;
  if (rest < n) f.template at<1>(rest);
}

// The rest is shorter than kVec, so a single block of kThreads holds it.
static_assert(kVector <= kThreads);

template <class F>
void run(cudaStream_t stream, const F& f, std::int64_t n, bool vectors, const char* name) {
  if (n == 0) return;
  const std::int64_t groups = vectors ? divide_up(n, kVector) : n;
  const auto blocks = static_cast<unsigned>(std::min(divide_up(groups, kThreads), kMostBlocks));
  if (vectors) {
    launch_programmatic({stream, name, blocks, kThreads}, each<kVector, F>, f, n);
  } else {
    launch_programmatic({stream, name, blocks, kThreads}, each<1, F>, f, n);
  }
}

template <class T>
struct Fill {
  T* to;
  float value;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float v[kVec];
#pragma unroll
    for (float& element : v) element = value;
    store<kVec>(to + i, v);
  }
};

template <class From, class To>
struct Convert {
  const From* from;
  To* to;
  bool accumulate;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float v[kVec];
    load<kVec>(from + i, v);
    put<kVec>(to + i, v, accumulate);
  }
};

template <class T>
struct Add {
  const T *a, *b;
  T* y;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float u[kVec], v[kVec];
    load<kVec>(a + i, u);
    load<kVec>(b + i, v);
#pragma unroll
    for (int k = 0; k < kVec; ++k) u[k] += v[k];
    store<kVec>(y + i, u);
  }
};

struct Fold {
  FoldCall call;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float sum[kVec], left[kVec];
    load<kVec>(call.last + i, sum);
    for (int level = call.count - 1; level >= 0; --level) {
      load<kVec>(call.sums[level] + i, left);
#pragma unroll
      for (int k = 0; k < kVec; ++k) sum[k] = left[k] + sum[k];
    }
    store<kVec>(call.sums[0] + i, sum);
  }
};

template <class T, class Function>
struct Activate {
  const T* x;
  T* y;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float v[kVec];
    load<kVec>(x + i, v);
#pragma unroll
    for (float& value : v) value = Function::value(value);
    store<kVec>(y + i, v);
  }
};

template <class T, class Function>
struct ActivateBackward {
  const T *dy, *x;
  T* dx;
  bool accumulate;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float d[kVec], v[kVec];
    load<kVec>(dy + i, d);
    load<kVec>(x + i, v);
#pragma unroll
    for (int k = 0; k < kVec; ++k) d[k] *= Function::slope(v[k]);
    put<kVec>(dx + i, d, accumulate);
  }
};

template <class T>
struct GeluAgain {
  const T* h;
  T *d, *g;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float x[kVec], slope[kVec];
    load<kVec>(h + i, x);
    load<kVec>(d + i, slope);
#pragma unroll
    for (int k = 0; k < kVec; ++k) {
      slope[k] *= Gelu::slope(x[k]);
      x[k] = Gelu::value(x[k]);
    }
    store<kVec>(d + i, slope);
    store<kVec>(g + i, x);
  }
};

// Element i of [rows, units] goes with h[gate(i)] and h[gate(i) + units]. Eight elements never
// straddle a row: the vector form is taken when `units` allows it.
template <class T>
struct SiluGate {
  const T* h;
  T* y;
  std::int64_t units;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float gate[kVec], value[kVec];
    const T* from = h + i + i / units * units;
    load<kVec>(from, gate);
    load<kVec>(from + units, value);
#pragma unroll
    for (int k = 0; k < kVec; ++k) value[k] *= Silu::value(gate[k]);
    store<kVec>(y + i, value);
  }
};

template <class T>
struct SiluGateAgain {
  const T* h;
  T *d, *dh;
  std::int64_t units;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float gate[kVec], value[kVec], dy[kVec], dgate[kVec], dvalue[kVec];
    const std::int64_t from = i + i / units * units;
    load<kVec>(h + from, gate);
    load<kVec>(h + from + units, value);
    load<kVec>(d + i, dy);
#pragma unroll
    for (int k = 0; k < kVec; ++k) {
      const float silu = Silu::value(gate[k]);
      dgate[k] = dy[k] * value[k] * Silu::slope(gate[k]);
      dvalue[k] = dy[k] * silu;
      value[k] *= silu;
    }
    store<kVec>(dh + from, dgate);
    store<kVec>(dh + from + units, dvalue);
    store<kVec>(d + i, value);
  }
};

// Eight elements never straddle a row: the vector form is taken when `columns` allows it.
template <class T>
struct AddRows {
  const T *x, *table;
  T* y;
  std::int64_t table_elements;

  template <int kVec>
  __device__ void at(std::int64_t i) const {
    float v[kVec], u[kVec] = {};
    load<kVec>(table + i % table_elements, v);
    if (x != nullptr) load<kVec>(x + i, u);
#pragma unroll
    for (int k = 0; k < kVec; ++k) v[k] += u[k];
    store<kVec>(y + i, v);
  }
};

template <class T>
T* typed(void* p) {
  return static_cast<T*>(p);
}
template <class T>
const T* typed(const void* p) {
  return static_cast<const T*>(p);
}

template <class... P>
bool all_aligned(const P*... p) {
  return (aligned16(p) && ...);
}

}  // namespace

void launch_fill(cudaStream_t stream, Elements to, float value, std::int64_t n) {
  with_element(to.dtype, [&]<class T>(T) {
    run(stream, Fill<T>{typed<T>(to.data), value}, n, aligned16(to.data), "fill");
  });
}

void launch_convert(cudaStream_t stream, Elements from, Elements to, std::int64_t n,
                    bool accumulate) {
  with_element(from.dtype, [&]<class A>(A) {
    with_element(to.dtype, [&]<class B>(B) {
      run(stream, Convert<A, B>{typed<A>(from.data), typed<B>(to.data), accumulate}, n,
          all_aligned(from.data, to.data), "convert");
    });
  });
}

void launch_fold(cudaStream_t stream, const FoldCall& call, std::int64_t n) {
  bool aligned = aligned16(call.last);
  for (int i = 0; i < call.count; ++i) aligned = aligned && aligned16(call.sums[i]);
  run(stream, Fold{call}, n, aligned, "fold");
}

void launch_add(cudaStream_t stream, DType dtype, const void* a, const void* b, void* y,
                std::int64_t n) {
  with_element(dtype, [&]<class T>(T) {
    run(stream, Add<T>{typed<T>(a), typed<T>(b), typed<T>(y)}, n, all_aligned(a, b, y), "add");
  });
}

namespace {

// f(function, name) of the kind.
template <class F>
void with_activation(Activation kind, F&& f) {
  switch (kind) {
    case Activation::kGeluTanh:
      return f(Gelu{}, "gelu");
    case Activation::kSilu:
      return f(Silu{}, "silu");
    case Activation::kRelu:
      return f(Relu{}, "relu");
  }
}

}  // namespace

void launch_activation(cudaStream_t stream, DType dtype, Activation kind, const void* x, void* y,
                       std::int64_t n) {
  with_element(dtype, [&]<class T>(T) {
    with_activation(kind, [&]<class Function>(Function, const char* name) {
      run(stream, Activate<T, Function>{typed<T>(x), typed<T>(y)}, n, all_aligned(x, y), name);
    });
  });
}

void launch_activation_backward(cudaStream_t stream, DType dtype, Activation kind, const void* dy,
                                const void* x, void* dx, std::int64_t n, bool accumulate) {
  with_element(dtype, [&]<class T>(T) {
    with_activation(kind, [&]<class Function>(Function, const char* name) {
      run(stream,
          ActivateBackward<T, Function>{typed<T>(dy), typed<T>(x), typed<T>(dx), accumulate}, n,
          all_aligned(dy, x, dx), name);
    });
  });
}

void launch_gelu_again(cudaStream_t stream, DType dtype, const void* h, void* d, void* g,
                       std::int64_t n) {
  with_element(dtype, [&]<class T>(T) {
    run(stream, GeluAgain<T>{typed<T>(h), typed<T>(d), typed<T>(g)}, n, all_aligned(h, d, g),
        "gelu again");
  });
}

void launch_silu_gate(cudaStream_t stream, DType dtype, const void* h, void* y, std::int64_t rows,
                      std::int64_t units) {
  with_element(dtype, [&]<class T>(T) {
    run(stream, SiluGate<T>{typed<T>(h), typed<T>(y), units}, rows * units,
        units % kVector == 0 && all_aligned(h, y), "silu gate");
  });
}

void launch_silu_gate_again(cudaStream_t stream, DType dtype, const void* h, void* d, void* dh,
                            std::int64_t rows, std::int64_t units) {
  with_element(dtype, [&]<class T>(T) {
    run(stream, SiluGateAgain<T>{typed<T>(h), typed<T>(d), typed<T>(dh), units}, rows * units,
        units % kVector == 0 && all_aligned(h, d, dh), "silu gate again");
  });
}

void launch_add_rows(cudaStream_t stream, DType dtype, const void* x, const RowTable& table,
                     void* y, std::int64_t rows, std::int64_t columns) {
  with_element(dtype, [&]<class T>(T) {
    run(stream, AddRows<T>{typed<T>(x), typed<T>(table.data), typed<T>(y), table.rows * columns},
        rows * columns, columns % kVector == 0 && all_aligned(x, table.data, y), "add rows");
  });
}

}  // namespace edt
