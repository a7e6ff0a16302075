package fanout

func faultyAction() {}
