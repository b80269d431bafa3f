// A second network that is looked at while the first one trains. Its weights are the moving average
// of that one, which kernels read where ZeRO keeps it, or values that somebody has given it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/model.h"

namespace edt {

class Teacher {
 public:
  // `model`: on the device of the one that trains, of the same tensor ranks.
  explicit Teacher(std::unique_ptr<Model> model) : model_(std::move(model)) {}

  Model& model() { return *model_; }
  // Its parameters, for whoever gives them values.
  std::vector<Parameter*> copies();
  // Once: values come from `average`; what is computed on the way takes memory and counts where
  // that of `student` does.
  void attach(Tape& student, ParameterOwner& average);
  // The same where values stay as they are; what follows the first call does nothing.
  void attach(Tape& student);

  // What it computes with; nothing is recorded there.
  Tape& tape() { return *tape_; }
  // What it gives for all tokens, and tokens behind the blocks that `taps` wants, which may leave
  // out later ones. With `groups` as Model::forward_groups(), tokens behind blocks alone. Of its
  // weights as they are before this step's update.
  Var look(const ModelInputs& inputs, Taps& taps, std::span<const VisibleTokens> groups = {});
  // A value of the tape in accurate_dtype, as losses take what they compare with: itself, or a
  // copy.
  Var accurate(const Var& value);
  // After each step, once nobody holds values of the tape.
  void clear() { tape_->clear(); }

 private:
  std::unique_ptr<Model> model_;
  std::optional<Tape> tape_;
};

}  // namespace edt
