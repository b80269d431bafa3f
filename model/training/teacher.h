// A second network whose weights are the moving average of the one that trains. It has no memory
// of its own for them: kernels read the average where ZeRO keeps it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/model.h"

namespace edt {

class Teacher {
 public:
  // `model`: as the one that trains, on the same device, of the same tensor ranks.
  explicit Teacher(std::unique_ptr<Model> model) : model_(std::move(model)) {}

  // Its parameters, for whoever gives them values.
  std::vector<Parameter*> copies();
  // Once: values come from `average`; what is computed on the way takes memory and counts where
  // that of `student` does.
  void attach(Tape& student, ParameterOwner& average);

  // What it computes with; nothing is recorded there.
  Tape& tape() { return *tape_; }
  // Tokens behind the blocks that `taps` wants; later blocks are not computed. With `groups` as
  // Model::forward_groups(). Of the average as it is before this step's update.
  void look(const ModelInputs& inputs, Taps& taps, std::span<const VisibleTokens> groups = {});
  // After each step, once nobody holds values of the tape.
  void clear() { tape_->clear(); }

 private:
  std::unique_ptr<Model> model_;
  std::optional<Tape> tape_;
};

}  // namespace edt
