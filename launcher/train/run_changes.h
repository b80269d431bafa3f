// What differs between a checkpoint and the run that goes on from it: options and the data set.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "data/dataset.h"

namespace edt {

// A data set by what is in it, wherever it lies and however it is cut into shards: a JSON object of
// texts. Reads a few samples. `shard_local`: the order of samples depends on the shards, too.
std::string data_identity(const data::Dataset& dataset, bool shard_local);

// A configuration of edt train as text, with the identity of its data set.
struct RunIdentity {
  std::string configuration;
  std::string data = "{}";     // what an older checkpoint has not kept is not compared
  std::string latents = "{}";  // what they are (latent_space.h); follows from the others
};

// Options that differ, then how gradients are summed, then what differs in the data set. `where`
// names the earlier one in messages.
std::vector<OptionChange> changes_between(const RunIdentity& before, const RunIdentity& after,
                                          const std::string& where);

// "train.batch 4 -> 8, optimizer.lr 0.001 -> 0.5"
std::string text_of(std::span<const OptionChange> changes);

// Whether somebody at the terminal agrees with `question`; false where nobody can be asked.
bool agreed_at_terminal(const std::string& question);

}  // namespace edt
