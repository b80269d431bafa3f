// Other forms of weights, by where these are: each for as long as somebody else holds it.
#pragma once

#include <memory>
#include <unordered_map>

#include "core/tensor/tensor.h"

namespace edt {

template <class Form>
class WeightForms {
 public:
  std::shared_ptr<Form> add(const Tensor& weight) {
    std::erase_if(forms_, [](const auto& entry) { return entry.second.expired(); });
    const auto form = std::make_shared<Form>(weight);
    forms_[weight.data] = form;
    return form;
  }
  // nullptr: there is none.
  std::shared_ptr<Form> find(const Tensor& weight) const {
    if (forms_.empty()) return nullptr;
    const auto found = forms_.find(weight.data);
    return found == forms_.end() ? nullptr : found->second.lock();
  }

 private:
  std::unordered_map<const void*, std::weak_ptr<Form>> forms_;
};

}  // namespace edt
