#include "model/training/teacher.h"

#include "model/weights.h"

namespace edt {

std::vector<Parameter*> Teacher::copies() { return parameter_pointers(model_->parameters()); }

void Teacher::attach(Tape& student, ParameterOwner& average) {
  EDT_ASSERT(!tape_);
  tape_.emplace(student.device(), student.arena(), student.profiler(), student.dtype());
  tape_->set_parameter_owner(&average);
}

void Teacher::look(const ModelInputs& inputs, Taps& taps, std::span<const VisibleTokens> groups) {
  const Tape::NoGrad inference(*tape_);
  ModelInputs seen = inputs;
  seen.hooks.taps = &taps;
  groups.empty() ? void(model_->forward(*tape_, seen))
                 : void(model_->forward_groups(*tape_, seen, groups));
}

}  // namespace edt
