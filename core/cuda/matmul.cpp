// cuBLASLt counts columns first. Row-major y = a b is its y^T = b^T a^T, so that its A is b, its B
// is a, and a matrix that is not transposed here is not transposed there.
#include "core/cuda/matmul.h"

#include <fmt/format.h>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/cuda/error.h"

namespace edt {
namespace {

// What NVIDIA recommends for Hopper; less serves older GPUs.
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

struct Destroy {
  void operator()(cublasLtMatmulDesc_t p) const { cublasLtMatmulDescDestroy(p); }
  void operator()(cublasLtMatrixLayout_t p) const { cublasLtMatrixLayoutDestroy(p); }
  void operator()(cublasLtMatmulPreference_t p) const { cublasLtMatmulPreferenceDestroy(p); }
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

using Description = Owned<cublasLtMatmulDesc_t>;
using Layout = Owned<cublasLtMatrixLayout_t>;
using Preference = Owned<cublasLtMatmulPreference_t>;

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

Description describe(const Product& p, bool tf32) {
  const bool fast = tf32 && p.in == DType::kFloat32;
  cublasLtMatmulDesc_t created = nullptr;
  check_cublas(cublasLtMatmulDescCreate(
                   &created, fast ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
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

void point(const Description& description, const Product& p) {
  if (p.bias != nullptr) set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  if (p.aux != nullptr) set(description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.aux);
}

Preference preference_of(const ProductKey& key) {
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

bool is_refusal(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
}

// Some of the library's kernels read a bias or aux 16 bytes at a time without saying that they must
// (pytorch/pytorch#194497).
constexpr std::uintptr_t kVectorBytes = 16;

std::string text_of(const Product& p) {
  return fmt::format("product {}[{}, {}] x [{}, {}] of {}",
                     p.batch.count > 1 ? fmt::format("{} x ", p.batch.count) : "", p.m, p.k, p.k,
                     p.n, name_of(p.in));
}

}  // namespace

struct CudaMatmul::Plan {
  Description description;
  Layout a, b, y;
  cublasLtMatmulAlgo_t algorithm;
};

CudaMatmul::CudaMatmul(const CudaContext& context, CudaScratch& scratch, bool tf32)
    : context_(context), scratch_(scratch), tf32_(tf32) {}
CudaMatmul::~CudaMatmul() = default;

std::unique_ptr<CudaMatmul::Plan> CudaMatmul::make(const Product& p) {
  const ProductKey key(p);
  if (p.epilogue != Epilogue::kNone && key.extra_alignment < kVectorBytes) return nullptr;
  auto plan = std::make_unique<Plan>();
  plan->description = describe(p, tf32_);
  // The addresses of bias and aux tell their alignment here and are not followed. All are given the
  // same one, so that the algorithm depends on the key alone.
  Product aligned = p;
  if (p.bias != nullptr) aligned.bias = reinterpret_cast<void*>(kVectorBytes);
  if (p.aux != nullptr) aligned.aux = reinterpret_cast<void*>(kVectorBytes);
  point(plan->description, aligned);
  const std::int64_t count = p.batch.count;
  plan->a = p.a_transposed ? layout_of(p.in, p.k, p.m, 0, count, p.batch.a)
                           : layout_of(p.in, p.m, p.k, 0, count, p.batch.a);
  plan->b = p.b_transposed ? layout_of(p.in, p.n, p.k, p.b_stride, count, p.batch.b)
                           : layout_of(p.in, p.k, p.n, p.b_stride, count, p.batch.b);
  plan->y = layout_of(p.out, p.m, p.n, p.y_stride, count, p.batch.y);
  const bool found = p.batch.as_singles ? take_from_single(p, *plan) : suggest(p, *plan);
  return found ? std::move(plan) : nullptr;
}

bool CudaMatmul::suggest(const Product& p, Plan& plan) const {
  const Preference preference = preference_of(ProductKey(p));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      context_.cublas(), plan.description.get(), plan.b.get(), plan.a.get(), plan.y.get(),
      plan.y.get(), preference.get(), 1, &result, &found);
  if (is_refusal(status)) return false;
  check_cublas(status, text_of(p));
  plan.algorithm = result.algo;
  return found > 0 && result.state == CUBLAS_STATUS_SUCCESS;
}

// The first product is run by itself: an algorithm may be refused no sooner. Then the library is
// asked whether it can do the batch, in the workspace that there is.
bool CudaMatmul::take_from_single(const Product& p, Plan& plan) {
  EDT_ASSERT(!p.accumulate);
  Product one = p;
  one.batch = {};
  if (!try_run(one)) return false;
  plan.algorithm = find(one)->algorithm;
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(context_.cublas(), plan.description.get(), plan.b.get(), plan.a.get(),
                              plan.y.get(), plan.y.get(), &plan.algorithm, &result);
  if (is_refusal(status)) return false;
  check_cublas(status, text_of(p));
  return result.workspaceSize <= kWorkspaceBytes;
}

CudaMatmul::Plan* CudaMatmul::find(const Product& product) {
  const ProductKey key(product);
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second.get();
  return plans_.emplace(key, make(product)).first->second.get();
}

bool CudaMatmul::try_run(const Product& p) {
  const cudaStream_t stream = context_.stream();
  Plan* plan = find(p);
  if (plan == nullptr) return false;
  point(plan->description, p);
  const float alpha = 1, beta = p.accumulate ? 1 : 0;
  const cublasStatus_t status = cublasLtMatmul(
      context_.cublas(), plan->description.get(), &alpha, p.b, plan->b.get(), p.a, plan->a.get(),
      &beta, p.y, plan->y.get(), p.y, plan->y.get(), &plan->algorithm,
      scratch_.bytes(ScratchSlot::kWorkspace, kWorkspaceBytes), kWorkspaceBytes, stream);
  if ((p.epilogue != Epilogue::kNone || p.batch.as_singles) && is_refusal(status)) {
    plans_[ProductKey(p)] = nullptr;  // suggested, and refused all the same
    return false;
  }
  check_cublas(status, text_of(p));
  return true;
}

void CudaMatmul::run(const Product& product) {
  require<CudaError>(try_run(product), "cuda", "cuBLASLt has no algorithm for the {}",
                     text_of(product));
}

}  // namespace edt
