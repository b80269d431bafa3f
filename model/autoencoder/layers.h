// The layers of autoencoders: weights on a backend, and the ops that use them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "model/autoencoder/tensors.h"

namespace edt {

// One pass of pictures [N, H, W, C] through a network.
struct PicturePass {
  Tape& tape;
  std::vector<ConvolutionCall>* calls = nullptr;  // notes every convolution; nullptr: none
};

// Half an autoencoder.
class PictureNetwork {
 public:
  virtual ~PictureNetwork() = default;
  // x and the result are float32.
  virtual Var run(PicturePass& pass, Var x) const = 0;
};

class ConvolutionLayer {
 public:
  explicit ConvolutionLayer(std::unique_ptr<PackedConvolution> weights)
      : weights_(std::move(weights)) {}

  const ConvolutionForm& form() const { return weights_->form(); }
  // Converts x where it is of another type.
  Var operator()(PicturePass& pass, const Var& x,
                 PictureActivation activation = PictureActivation::kNone) const;
  // y = f(y + convolution of x)
  void add(PicturePass& pass, const Var& x, const Var& y,
           PictureActivation activation = PictureActivation::kNone) const;

 private:
  std::unique_ptr<PackedConvolution> weights_;
};

// Weight and bias of a norm, on the device.
struct NormWeights {
  Block memory;
  Tensor weight, bias;
};

class GroupNormLayer {
 public:
  GroupNormLayer(NormWeights weights, const GroupNormForm& form)
      : weights_(std::move(weights)), form_(form) {}
  Var operator()(PicturePass& pass, const Var& x, PictureActivation activation, DType result) const;

 private:
  NormWeights weights_;
  GroupNormForm form_;
};

class RmsNormLayer {
 public:
  explicit RmsNormLayer(NormWeights weights) : weights_(std::move(weights)) {}
  // f(norm of x) + residual, which may be empty
  Var operator()(PicturePass& pass, const Var& x, PictureActivation activation, const Var& residual,
                 DType result) const;

 private:
  NormWeights weights_;
};

// x in another type.
Var converted(PicturePass& pass, const Var& x, DType dtype);
// y, to which x of its type has been added.
Var with_added(PicturePass& pass, Var y, const Var& x);

// Makes layers from tensors by name.
class LayerFactory {
 public:
  // `dtype`: in which convolutions are computed.
  LayerFactory(Backend& backend, AutoencoderTensors& tensors, DType dtype)
      : backend_(backend), tensors_(tensors), dtype_(dtype) {}

  AutoencoderTensors& tensors() { return tensors_; }
  DType dtype() const { return dtype_; }
  // The same, computing in another type.
  LayerFactory in(DType dtype) const { return {backend_, tensors_, dtype}; }

  // Of `inputs` channels; outputs and kernel are those of NAME.weight (of rank 2: 1x1); a bias is
  // taken where it is there. Of `form` the rest counts; without one, zeros keep the size. DataError
  // where the weight has other inputs, as all of these.
  ConvolutionLayer convolution(const std::string& name, std::int64_t inputs);
  ConvolutionLayer convolution(const std::string& name, std::int64_t inputs, ConvolutionForm form);
  GroupNormLayer group_norm(const std::string& name, std::int64_t channels, std::int64_t groups,
                            double epsilon);
  RmsNormLayer rms_norm(const std::string& name, std::int64_t channels);

 private:
  NormWeights norm_weights(const std::string& name, std::int64_t channels);

  Backend& backend_;
  AutoencoderTensors& tensors_;
  DType dtype_;
};

}  // namespace edt
