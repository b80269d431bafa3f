// cuBLASLt as its manual describes it, by plain loops: column-major matrices, epilogues of the
// kinds that core/cuda asks for, float32 sums.
#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/core/cuda/emulation/runtime.h"
#include "tests/core/cuda/emulation/streams.h"

namespace {

struct Description {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  std::int32_t bias_type = CUDA_R_32F, aux_type = CUDA_R_32F;
  void *bias = nullptr, *aux = nullptr;
  std::int64_t aux_stride = 0, bias_batch_stride = 0;
};

struct Layout {
  cudaDataType type;
  std::uint64_t rows, columns;
  std::int64_t stride;
  std::int32_t batch = 1;
  std::int64_t batch_stride = 0;
};

// Bytes that addresses are multiples of. The library chooses an algorithm for those that it is told
// of; those of bias and aux it sees.
struct Alignments {
  std::uint32_t a = 256, b = 256, c = 256, d = 256;
};

std::uint32_t alignment_of(const void* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer) | 256u;
  return static_cast<std::uint32_t>(address & (~address + 1));
}

// How often a sum over k is rounded to the type of the result.
enum class Sum : std::uint32_t { kNone, kRoundsOnce, kRoundsEachTerm };

// Of all matrices of a batch.
std::uint32_t alignment_of(const void* pointer, const Layout& layout) {
  const std::int64_t step = layout.batch_stride * (layout.type == CUDA_R_32F ? 4 : 2);
  const void* second = static_cast<const std::byte*>(pointer) + (layout.batch > 1 ? step : 0);
  return std::min(alignment_of(pointer), alignment_of(second));
}

struct Preference {
  Alignments alignments;
  std::uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
};

// What an algorithm is and needs, kept in its opaque words.
struct Needs {
  Alignments matrices;
  std::uint32_t bias, aux;
  Sum sum;
  std::uint32_t runs;
  double seconds;
};
static_assert(sizeof(Needs) <= sizeof(cublasLtMatmulAlgo_t));

bool fused_epilogues = true;
bool refuses_to_run = false;
cublasStatus_t status_of_refusals = CUBLAS_STATUS_NOT_SUPPORTED;
int error_of_refusals = cudaSuccess;
bool batches_by_single_algorithms = true;
std::size_t workspace_of_each = 0;
std::size_t version = edt::emulation::kCublasLtVersion;
std::vector<edt::emulation::Suggestion> suggestions(1);
std::atomic<int> calls = 0, products = 0, with_epilogue = 0;
double seconds_of_epilogues = 0;

Needs needs_of(const cublasLtMatmulAlgo_t* algorithm) {
  Needs needs;
  std::memcpy(static_cast<void*>(&needs), algorithm, sizeof needs);
  return needs;
}

double read(const void* data, int type, std::int64_t i) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[i];
  const std::uint32_t bits = static_cast<const std::uint16_t*>(data)[i];
  return std::bit_cast<float>(bits << 16);
}

// To the nearest of the type.
float rounded(int type, double value) {
  const auto narrow = static_cast<float>(value);
  if (type == CUDA_R_32F) return narrow;
  const auto bits = std::bit_cast<std::uint32_t>(narrow);
  return std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

void write(void* data, int type, std::int64_t i, double value) {
  const float nearest = rounded(type, value);
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[i] = nearest;
    return;
  }
  static_cast<std::uint16_t*>(data)[i] =
      static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(nearest) >> 16);
}

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double gelu_slope(double x) {
  const double t = std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
  const double du = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du;
}

// op(matrix) as [rows][columns]
std::vector<double> load(const void* data, const Layout& layout, cublasOperation_t operation) {
  std::vector<double> values(layout.rows * layout.columns);
  for (std::uint64_t row = 0; row < layout.rows; ++row) {
    for (std::uint64_t column = 0; column < layout.columns; ++column) {
      const double value = read(data, layout.type, column * layout.stride + row);
      values[operation == CUBLAS_OP_N ? row * layout.columns + column
                                      : column * layout.rows + row] = value;
    }
  }
  return values;
}

double finish(const Description& d, double value, std::int64_t row, std::int64_t column) {
  const std::int64_t aux_at = column * d.aux_stride + row;
  switch (d.epilogue) {
    case CUBLASLT_EPILOGUE_BIAS:
      return value + read(d.bias, d.bias_type, row);
    case CUBLASLT_EPILOGUE_GELU_BIAS:
      return gelu(value + read(d.bias, d.bias_type, row));
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      value += read(d.bias, d.bias_type, row);
      write(d.aux, d.aux_type, aux_at, value);
      return gelu(value);
    case CUBLASLT_EPILOGUE_DGELU:
      return value * gelu_slope(read(d.aux, d.aux_type, aux_at));
    default:
      return value;
  }
}

// One call, to be done when its stream comes to it.
struct Product {
  Description d;
  double scale;
  const void* a;
  Layout a_layout;
  const void* b;
  Layout b_layout;
  double keep;
  const void* c;
  void* out;
  Layout layout;
  Needs algorithm;

  // Of op(a) and op(b): must be equal.
  std::pair<std::uint64_t, std::uint64_t> inner() const {
    return {d.a == CUBLAS_OP_N ? a_layout.columns : a_layout.rows,
            d.b == CUBLAS_OP_N ? b_layout.rows : b_layout.columns};
  }

  void run() const {
    const bool fused = d.epilogue != CUBLASLT_EPILOGUE_DEFAULT;
    edt::emulation::pass_time(algorithm.seconds + (fused ? seconds_of_epilogues : 0));
    const auto at = [](const void* data, const Layout& matrices, int i) {
      return static_cast<const std::byte*>(data) +
             i * matrices.batch_stride * (matrices.type == CUDA_R_32F ? 4 : 2);
    };
    for (int i = 0; i < layout.batch; ++i) {
      Product one = *this;
      one.a = at(a, a_layout, i);
      one.b = at(b, b_layout, i);
      one.c = at(c, layout, i);
      one.out = const_cast<std::byte*>(at(out, layout, i));
      if (d.bias != nullptr) {
        one.d.bias = static_cast<std::byte*>(d.bias) +
                     i * d.bias_batch_stride * (d.bias_type == CUDA_R_32F ? 4 : 2);
      }
      one.run_one();
    }
  }

  static constexpr std::int64_t kAtOnce = 8;

  // Products of rows [rows, k] with a column [k]. Each sum is in the order of its terms; several at
  // once wait for none of the others.
  std::array<double, kAtOnce> sums_of(const double* left, const double* column, std::int64_t rows,
                                      std::int64_t k) const {
    double sums[kAtOnce] = {};
    if (rows == kAtOnce && algorithm.sum != Sum::kRoundsEachTerm) {
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t r = 0; r < kAtOnce; ++r) sums[r] += left[r * k + i] * column[i];
      }
      return std::to_array(sums);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < k; ++i) {
        sums[r] += left[r * k + i] * column[i];
        if (algorithm.sum == Sum::kRoundsEachTerm) sums[r] = rounded(layout.type, sums[r]);
      }
    }
    return std::to_array(sums);
  }

  void run_one() const {
    const auto m = static_cast<std::int64_t>(layout.rows);
    const auto n = static_cast<std::int64_t>(layout.columns);
    const auto k = static_cast<std::int64_t>(inner().first);
    const std::vector<double> left = load(a, a_layout, d.a);
    const std::vector<double> columns =
        load(b, b_layout, d.b == CUBLAS_OP_N ? CUBLAS_OP_T : CUBLAS_OP_N);
    for (std::int64_t column = 0; column < n; ++column) {
      for (std::int64_t first = 0; first < m; first += kAtOnce) {
        const std::int64_t rows = std::min(kAtOnce, m - first);
        const auto sums = sums_of(left.data() + first * k, columns.data() + column * k, rows, k);
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::int64_t row = first + r, at = column * layout.stride + row;
          double sum = sums[static_cast<std::size_t>(r)] * scale;
          if (keep != 0) sum += keep * read(c, layout.type, at);
          write(out, layout.type, at, finish(d, sum, row, column));
        }
      }
    }
    if (d.epilogue != CUBLASLT_EPILOGUE_BGRADB) return;
    for (std::int64_t column = 0; column < n; ++column) {
      double sum = 0;
      for (std::int64_t i = 0; i < k; ++i) sum += columns[column * k + i];
      write(d.bias, d.bias_type, column, sum);
    }
  }
};

// All operands have as many matrices, and no two results lie in one place.
bool batches_agree(const Layout& a, const Layout& b, const Layout& out) {
  const bool overlap =
      out.batch > 1 && out.batch_stride < out.stride * static_cast<std::int64_t>(out.columns);
  return a.batch == out.batch && b.batch == out.batch && !overlap;
}

// As reported of CUDA 13.3: what is asked about a product while the thread captures.
cublasStatus_t refuse() {
  edt::emulation::leave_error(error_of_refusals);
  return status_of_refusals;
}

bool fails_in_capture() { return edt::emulation::refused_in_capture() != cudaSuccess; }

template <class Handle, class Object>
cublasStatus_t give(Handle* handle, Object object) {
  *handle = reinterpret_cast<Handle>(new Object(object));
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

namespace edt::emulation {

void set_fused_epilogues(bool available) { fused_epilogues = available; }
void set_refusal_of_epilogues(bool refused) { refuses_to_run = refused; }

void set_status_of_refusals(int status) {
  status_of_refusals =
      status == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : static_cast<cublasStatus_t>(status);
}

void set_error_of_refusals(int error) { error_of_refusals = error; }

void set_cublaslt_version(std::size_t now) { version = now; }
void set_suggestions(std::vector<Suggestion> now) { suggestions = std::move(now); }

void set_batches_by_single_algorithms(bool available, std::size_t workspace_bytes) {
  batches_by_single_algorithms = available;
  workspace_of_each = workspace_bytes;
}

ProductCount products_asked_for() { return {calls, products, with_epilogue}; }
void set_seconds_of_epilogues(double now) { seconds_of_epilogues = now; }

}  // namespace edt::emulation

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = nullptr;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
size_t cublasLtGetVersion() { return version; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "emulated error"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t,
                                        cudaDataType_t) {
  return give(handle, Description{});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
  delete reinterpret_cast<Description*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  auto& d = *reinterpret_cast<Description*>(handle);
  const auto take = [&](auto& to) {
    if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(d.a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(d.b);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(d.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(d.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
      return take(d.bias_batch_stride);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return take(d.bias_type);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return take(d.aux);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE:
      return take(d.aux_type);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return take(d.aux_stride);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t stride) {
  return give(handle, Layout{type, rows, columns, stride});
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  auto& layout = *reinterpret_cast<Layout*>(handle);
  const bool count = attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
  if (!count && attribute != CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (bytes != (count ? sizeof layout.batch : sizeof layout.batch_stride)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(count ? static_cast<void*>(&layout.batch) : &layout.batch_stride, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
  delete reinterpret_cast<Layout*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
  return give(handle, Preference{});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
  delete reinterpret_cast<Preference*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  auto& [alignments, schemes] = *reinterpret_cast<Preference*>(handle);
  const auto take = [&](std::uint32_t& to) {
    if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return take(alignments.a);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return take(alignments.b);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return take(alignments.c);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return take(alignments.d);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return take(schemes);
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return bytes == sizeof(size_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* found) {
  const auto& d = *reinterpret_cast<const Description*>(description);
  const auto& [alignments, schemes] = *reinterpret_cast<const Preference*>(preference);
  *found = 0;
  if (fails_in_capture()) return CUBLAS_STATUS_INTERNAL_ERROR;
  const bool has_aux =
      d.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS || d.epilogue == CUBLASLT_EPILOGUE_DGELU;
  const bool possible = d.epilogue == CUBLASLT_EPILOGUE_DEFAULT ||
                        (fused_epilogues && !(has_aux && d.aux_stride % 8 != 0));
  if (!possible) return refuse();
  const bool batched = reinterpret_cast<const Layout*>(out)->batch > 1;
  const std::vector<edt::emulation::Suggestion> of_batches{{.rounds_each_term = true}};
  for (const auto& one : batched ? of_batches : suggestions) {
    if (*found == most) break;
    if ((one.reduction_scheme & schemes) != one.reduction_scheme) continue;
    const Needs needs{alignments,
                      alignment_of(d.bias),
                      alignment_of(d.aux),
                      one.rounds_each_term ? Sum::kRoundsEachTerm : Sum::kRoundsOnce,
                      one.runs,
                      one.seconds};
    cublasLtMatmulHeuristicResult_t& result = results[(*found)++];
    std::memcpy(&result.algo, &needs, sizeof needs);
    result.state = one.possible ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t out,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  if (fails_in_capture()) return CUBLAS_STATUS_INTERNAL_ERROR;
  const auto layout = [](cublasLtMatrixLayout_t handle) {
    return *reinterpret_cast<const Layout*>(handle);
  };
  const Sum sum = needs_of(algorithm).sum;
  if (sum == Sum::kNone || !batches_agree(layout(a), layout(b), layout(out)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool batched = layout(out).batch > 1;
  if (batched && sum == Sum::kRoundsOnce && !batches_by_single_algorithms) return refuse();
  result->workspaceSize = workspace_of_each * static_cast<std::size_t>(layout(out).batch);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t, void* out, cublasLtMatrixLayout_t out_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, size_t,
                              cudaStream_t stream) {
  const Product product{*reinterpret_cast<const Description*>(description),
                        *static_cast<const float*>(alpha),
                        a,
                        *reinterpret_cast<const Layout*>(a_layout),
                        b,
                        *reinterpret_cast<const Layout*>(b_layout),
                        *static_cast<const float*>(beta),
                        c,
                        out,
                        *reinterpret_cast<const Layout*>(out_layout),
                        needs_of(algorithm)};
  const auto [k, b_k] = product.inner();
  const Needs& needs = product.algorithm;
  if (k != b_k || needs.sum == Sum::kNone ||
      !batches_agree(product.a_layout, product.b_layout, product.layout)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const auto& [of_a, of_b, of_c, of_d] = needs.matrices;
  if (alignment_of(a, product.a_layout) < of_a || alignment_of(b, product.b_layout) < of_b ||
      alignment_of(c, product.layout) < of_c || alignment_of(out, product.layout) < of_d ||
      alignment_of(product.d.bias) < needs.bias || alignment_of(product.d.aux) < needs.aux) {
    std::fprintf(stderr, "emulation of cuBLASLt: memory less aligned than the algorithm needs\n");
    std::abort();
  }
  const bool fused = product.d.epilogue != CUBLASLT_EPILOGUE_DEFAULT;
  if ((fused && refuses_to_run) || !needs.runs) return refuse();
  // Some kernels read these 16 bytes at a time, whatever they have been told.
  if (fused && (alignment_of(product.d.bias) < 16 || alignment_of(product.d.aux) < 16)) {
    std::fprintf(stderr, "emulation of cuBLASLt: a bias that is not aligned to 16 bytes\n");
    std::abort();
  }
  ++calls;
  with_epilogue += fused;
  products += product.layout.batch;
  edt::emulation::ask(stream, [product] { product.run(); });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
