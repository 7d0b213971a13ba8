#include "train_command.hpp"
