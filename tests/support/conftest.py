collect_ignore = ["with_kaolin"]  # for programs that are run beside it
