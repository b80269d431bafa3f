// One forward pass of a trained network, from host tensors to host tensors.
#pragma once

#include <cstdint>
#include <span>

#include "core/ops/backend.h"
#include "model/model.h"

namespace edt {

// Texts of rows: features [rows, longest text, channels] with zeros behind the last token.
struct TextRows {
  std::span<const float> features;
  std::span<const std::int32_t> lengths;
};

// What rows are conditioned on beside time and label, of a network that reads it.
struct PassConditions {
  TextRows text = {};
  std::span<const float> frames = {};  // [B, tokens, channels], or of more rows
};

class ForwardPass {
 public:
  // The model's parameters are bound; its tables are in `dtype`.
  ForwardPass(Model& model, Backend& backend, DType dtype)
      : model_(model),
        backend_(backend),
        arena_(backend.memory()),
        tape_(backend, arena_, profiler_, dtype) {}

  // Fills out [B, Process::out_channels(C), H, W] from x_t [B, C, H, W]; `told` and `labels` one
  // for each row, the number of classes standing for "no class". Host float32. UsageError where the
  // model reads texts, and there are none.
  void operator()(const Tensor& x_t, std::span<const float> told,
                  std::span<const std::int32_t> labels, const Tensor& out,
                  const PassHooks& hooks = {}, const PassConditions& conditions = {});
  // The most memory that activations have had at a time.
  std::size_t peak_bytes() const { return arena_.peak_bytes(); }

 private:
  // Of the texts, on the tape.
  struct TextVars {
    Var features, lengths;
    TextInputs inputs() const;
  };
  TextVars upload(std::int64_t rows, const TextRows& text);

  Model& model_;
  Backend& backend_;
  Profiler profiler_;
  Arena arena_;
  Tape tape_;
};

}  // namespace edt
