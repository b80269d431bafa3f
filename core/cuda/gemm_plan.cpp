// cuBLASLt counts columns first. Row-major y = a b is its y^T = b^T a^T, so that its A is b, its B
// is a, and a matrix that is not transposed here is not transposed there.
#include "core/cuda/gemm_plan.h"

#include <fmt/format.h>

#include "core/base/log.h"
#include "core/cuda/error.h"

namespace edt {
namespace {

using Description = Descriptor<cublasLtMatmulDesc_t>;
using Layout = Descriptor<cublasLtMatrixLayout_t>;
using Preference = Descriptor<cublasLtMatmulPreference_t>;

cudaDataType_t type_of(DType dtype) { return dtype == DType::kBFloat16 ? CUDA_R_16BF : CUDA_R_32F; }

cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::kNone:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case Epilogue::kBias:
      return CUBLASLT_EPILOGUE_BIAS;
    case Epilogue::kGeluBias:
      return CUBLASLT_EPILOGUE_GELU_BIAS;
    case Epilogue::kGeluAuxBias:
      return CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
    case Epilogue::kGeluSlope:
      return CUBLASLT_EPILOGUE_DGELU;
    case Epilogue::kRowSums:
      return CUBLASLT_EPILOGUE_BGRADB;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

template <class Value>
void set(const Description& description, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check_cublas(cublasLtMatmulDescSetAttribute(description.get(), attribute, &value, sizeof(value)),
               "describing a product");
}

template <class Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         Value value) {
  check_cublas(
      cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
      "describing a product");
}

template <class Value>
void set(const Layout& layout, cublasLtMatrixLayoutAttribute_t attribute, Value value) {
  check_cublas(cublasLtMatrixLayoutSetAttribute(layout.get(), attribute, &value, sizeof(value)),
               "describing a matrix");
}

// Row-major [rows, columns] matrices, as their transposes. `stride` between rows, 0: dense; `next`
// elements to the matrix of the next of `count` products.
Layout layout_of(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                 std::int64_t count, std::int64_t next) {
  cublasLtMatrixLayout_t layout = nullptr;
  check_cublas(
      cublasLtMatrixLayoutCreate(&layout, type_of(dtype), static_cast<std::uint64_t>(columns),
                                 static_cast<std::uint64_t>(rows), stride > 0 ? stride : columns),
      "describing a matrix");
  Layout owned(layout);
  if (count > 1) {
    set(owned, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(count));
    set(owned, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, next);
  }
  return owned;
}

Description describe(const Gemm& p, bool tf32) {
  cublasLtMatmulDesc_t created = nullptr;
  check_cublas(cublasLtMatmulDescCreate(
                   &created, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
               "describing a product");
  Description description(created);
  const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(description, CUBLASLT_MATMUL_DESC_TRANSA, operation(p.b_transposed));
  set(description, CUBLASLT_MATMUL_DESC_TRANSB, operation(p.a_transposed));
  if (p.epilogue == Epilogue::kNone) return description;
  set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(p.epilogue));
  if (p.bias != nullptr) {
    const DType bias = p.epilogue == Epilogue::kRowSums ? DType::kFloat32 : p.in;
    set(description, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(type_of(bias)));
    if (p.batch.count > 1) set(description, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, p.batch.bias);
  }
  if (p.aux != nullptr) {
    set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE,
        static_cast<std::int32_t>(type_of(p.in)));
    set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.n);
  }
  return description;
}

Preference preference_of(const GemmKey& key) {
  cublasLtMatmulPreference_t created = nullptr;
  check_cublas(cublasLtMatmulPreferenceCreate(&created), "describing a product");
  Preference preference(created);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  // Where k is split, the parts are added in float32. All schemes have one order of sums.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      std::uint32_t{key.out == DType::kFloat32 ? CUBLASLT_REDUCTION_SCHEME_MASK
                                               : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.y_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.y_alignment);
  return preference;
}

}  // namespace

bool is_refusal(cublasStatus_t status, const GemmKey& key) {
  if (status == CUBLAS_STATUS_SUCCESS) return false;
  const cudaError_t met = cudaGetLastError();  // is not the next launch's
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return true;
  const bool is_plain = key.epilogue == Epilogue::kNone && !key.batch.as_singles;
  if (is_plain || met != cudaSuccess) return false;
  log::warning("cuBLASLt does not do the {} with epilogue {}: {}", text_of(key),
               name_of(key.epilogue), cublasLtGetStatusString(status));
  return true;
}

std::string text_of(const GemmKey& key) {
  return fmt::format("product {}[{}, {}] x [{}, {}] of {}",
                     key.batch.count > 1 ? fmt::format("{} x ", key.batch.count) : "", key.m, key.k,
                     key.k, key.n, name_of(key.in));
}

GemmPlan::GemmPlan(const CudaContext& context, const Gemm& p, bool tf32)
    : key(p, tf32), context_(context), description_(describe(p, key.tf32)) {
  // The addresses of bias and aux tell their alignment to the library, which does not follow them
  // before the launch. All are given the same one, so that the algorithm depends on the key alone.
  auto* const aligned = reinterpret_cast<void*>(std::uintptr_t{kVectorBytes});
  point_to(p.bias != nullptr ? aligned : nullptr, p.aux != nullptr ? aligned : nullptr);
  const std::int64_t count = p.batch.count;
  a_ = p.a_transposed ? layout_of(p.in, p.k, p.m, 0, count, p.batch.a)
                      : layout_of(p.in, p.m, p.k, 0, count, p.batch.a);
  b_ = p.b_transposed ? layout_of(p.in, p.n, p.k, p.b_stride, count, p.batch.b)
                      : layout_of(p.in, p.k, p.n, p.b_stride, count, p.batch.b);
  y_ = layout_of(p.out, p.m, p.n, p.y_stride, count, p.batch.y);
}

void GemmPlan::point_to(void* bias, void* aux) const {
  if (bias != nullptr) set(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  if (aux != nullptr) set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aux);
}

std::vector<cublasLtMatmulAlgo_t> GemmPlan::suggestions(int count) const {
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(count));
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      context_.cublas(), description_.get(), b_.get(), a_.get(), y_.get(), y_.get(),
      preference_of(key).get(), count, results.data(), &found);
  if (is_refusal(status, key)) return {};
  check_cublas(status, text_of(key));
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < found; ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(result.algo);
  }
  return algorithms;
}

bool GemmPlan::allows(const cublasLtMatmulAlgo_t& candidate) const {
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(context_.cublas(), description_.get(), b_.get(), a_.get(), y_.get(),
                              y_.get(), &candidate, &result);
  if (is_refusal(status, key)) return false;
  check_cublas(status, text_of(key));
  return result.workspaceSize <= kWorkspaceBytes;
}

cublasStatus_t GemmPlan::launch(const Gemm& p, const cublasLtMatmulAlgo_t& by, float scale,
                                void* workspace) const {
  const cudaStream_t stream = context_.stream();
  point_to(p.bias, p.aux);
  const float keep = p.accumulate ? 1 : 0;
  return cublasLtMatmul(context_.cublas(), description_.get(), &scale, p.b, b_.get(), p.a, a_.get(),
                        &keep, p.y, y_.get(), p.y, y_.get(), &by, workspace, kWorkspaceBytes,
                        stream);
}

}  // namespace edt
