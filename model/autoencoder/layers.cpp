#include "model/autoencoder/layers.h"

#include "core/base/error.h"

namespace edt {

Var converted(PicturePass& pass, const Var& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Var y = pass.tape.make(x.shape(), dtype);
  pass.tape.device().copy(x.tensor(), y.tensor());
  return y;
}

Var with_added(PicturePass& pass, Var y, const Var& x) {
  pass.tape.device().add_into(x.tensor(), y.tensor());
  return y;
}

Var ConvolutionLayer::operator()(PicturePass& pass, const Var& x,
                                 PictureActivation activation) const {
  if (pass.calls != nullptr) pass.calls->push_back({form(), x.shape()});
  return convolution(pass.tape, converted(pass, x, weights_->dtype()), *weights_, activation);
}

void ConvolutionLayer::add(PicturePass& pass, const Var& x, const Var& y,
                           PictureActivation activation) const {
  if (pass.calls != nullptr) pass.calls->push_back({form(), x.shape()});
  add_convolution(pass.tape, converted(pass, x, weights_->dtype()), *weights_, y, activation);
}

Var GroupNormLayer::operator()(PicturePass& pass, const Var& x, PictureActivation activation,
                               DType result) const {
  GroupNormForm form = form_;
  form.activation = activation;
  return group_norm(pass.tape, x, weights_.weight, weights_.bias, form, result);
}

Var RmsNormLayer::operator()(PicturePass& pass, const Var& x, PictureActivation activation,
                             const Var& residual, DType result) const {
  return channel_rms_norm(pass.tape, x, weights_.weight, weights_.bias, /*epsilon=*/1e-5,
                          activation, residual, result);
}

ConvolutionLayer LayerFactory::convolution(const std::string& name, std::int64_t inputs) {
  const Shape shape = tensors_.shape(name + ".weight");
  const std::int64_t kernel = shape.rank() == 4 ? shape[2] : 1;
  require<DataError>(kernel % 2 == 1, "vae",
                     "{}: {}.weight is {}: a kernel of odd sides is needed to keep the size",
                     tensors_.label(), name, to_string(shape));
  return convolution(name, inputs, {.before = kernel / 2, .after = kernel / 2});
}

ConvolutionLayer LayerFactory::convolution(const std::string& name, std::int64_t inputs,
                                           ConvolutionForm form) {
  const Shape shape = tensors_.shape(name + ".weight");
  require<DataError>(shape.rank() == 4 || shape.rank() == 2, "vae",
                     "{}: {}.weight is {}, a convolution's has 4 axes", tensors_.label(), name,
                     to_string(shape));
  form.outputs = shape[0];
  form.inputs = inputs;
  form.kernel = shape.rank() == 4 ? shape[2] : 1;
  require<DataError>(inputs % form.groups == 0 && form.outputs % form.groups == 0, "vae",
                     "{}: {}.weight is {}: {} inputs in {} groups", tensors_.label(), name,
                     to_string(shape), inputs, form.groups);
  const std::vector<float> weight = tensors_.take(
      name + ".weight", {form.outputs, inputs / form.groups, form.kernel, form.kernel});
  std::vector<float> bias;
  if (tensors_.has(name + ".bias")) bias = tensors_.take(name + ".bias", {form.outputs});
  return ConvolutionLayer(backend_.pack_convolution(form, weight, bias, dtype_));
}

NormWeights LayerFactory::norm_weights(const std::string& name, std::int64_t channels) {
  NormWeights made;
  Tensor both{nullptr, {2, channels}, DType::kFloat32};
  made.memory = Block(backend_.memory(), both.bytes());
  both.data = made.memory.data();
  std::vector<float> values = tensors_.take(name + ".weight", {channels});
  const std::vector<float> bias = tensors_.take(name + ".bias", {channels});
  values.insert(values.end(), bias.begin(), bias.end());
  backend_.upload_floats(values, both);
  made.weight = both.slice(0, 1).reshaped({channels});
  made.bias = both.slice(1, 2).reshaped({channels});
  return made;
}

GroupNormLayer LayerFactory::group_norm(const std::string& name, std::int64_t channels,
                                        std::int64_t groups, double epsilon) {
  require<DataError>(groups >= 1 && channels % groups == 0, "vae",
                     "{}: {} has {} channels, which {} groups do not divide: config.json beside "
                     "the file, or --vae-groups, says how many there are",
                     tensors_.label(), name, channels, groups);
  return {norm_weights(name, channels), {.groups = groups, .epsilon = epsilon}};
}

RmsNormLayer LayerFactory::rms_norm(const std::string& name, std::int64_t channels) {
  return RmsNormLayer(norm_weights(name, channels));
}

}  // namespace edt
