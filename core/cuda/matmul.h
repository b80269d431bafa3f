// Matrix products by cuBLASLt, in row-major terms, with what its epilogues can take along. Each
// product's algorithm is looked up once and kept: the one that was chosen for it before the run, or
// the library's first suggestion. A run does not time, because two algorithms may round differently
// and all ranks and runs must take the same one. A batch that stands for single products takes
// theirs.
#pragma once

#include <map>
#include <memory>

#include "core/cuda/cuda_backend.h"
#include "core/cuda/product_plan.h"
#include "core/cuda/scratch.h"

namespace edt {

class CudaMatmul {
 public:
  CudaMatmul(const CudaContext& context, CudaScratch& scratch, const CudaOptions& options);

  // Throws CudaError when cuBLASLt has no algorithm.
  void run(const Product& product);

  // As run(), but false, with nothing done, when cuBLASLt cannot fuse the epilogue into this shape,
  // or cannot do the batch by the algorithm of its single products.
  bool try_run(const Product& product);

  // How often each was asked for. Products of a batch that stands for single ones count singly.
  std::map<ProductKey, std::int64_t> calls() const;

 private:
  ProductPlan* find(const Product& product);
  std::unique_ptr<ProductPlan> make(const Product& product);
  // Give the plan an algorithm; false: there is none.
  bool choose(const Product& product, ProductPlan& plan);
  bool take_from_single(const Product& product, ProductPlan& plan);
  bool take_given(const TunedProduct& given, ProductPlan& plan) const;
  bool take_first(ProductPlan& plan) const;
  bool take_fastest(const Product& product, ProductPlan& plan);
  void* workspace();

  const CudaContext& context_;
  CudaScratch& scratch_;
  bool tf32_;
  TunedProducts given_;
  ProductTuning* tuning_;
  std::map<ProductKey, std::unique_ptr<ProductPlan>> plans_;  // null: not possible
};

}  // namespace edt
