#include "parallel/zero/weight_reader.h"

#include "core/base/error.h"

namespace edt {

WeightReader::WeightReader(const ZeroContext& context, std::vector<Parameter*> copies,
                           const SourceArray& source, bool gathered, DType dtype)
    : copies_(std::move(copies)) {
  const FlatLayout& layout = context.plan.layout();
  EDT_ASSERT(!copies_.empty() && copies_.size() <= layout.tensors().size());
  for (std::size_t t = 0; t < copies_.size(); ++t) {
    EDT_ASSERT(copies_[t]->name == layout.tensor(t).name &&
               copies_[t]->shape == layout.tensor(t).shape);
    bucket_of_.emplace(copies_[t], context.plan.bucket_of(t));
  }
  buckets_ = context.plan.bucket_of(copies_.size() - 1) + 1;
  ZeroContext own = context;
  own.parameters = copies_;
  weights_ =
      gathered ? make_gathered_weights(own, source, dtype) : make_whole_weights(own, source, dtype);
}

void WeightReader::changed() {
  for (std::size_t b = 0; b < buckets_; ++b) weights_->changed(b, false);
}

void WeightReader::before_write(Parameter& parameter) {
  fail("zero", "{} is read only: nothing is trained there", parameter.name);
}

}  // namespace edt
