package main

import (
    "bytes"
    "encoding/json"
    "net/http"
)

type Item struct {
    Fruit  string `json:"fruit"`
    Amount int    `json:"amount"`
}

type Request struct {
    Items []Item `json:"items"`
}

func main() {
    req := Request{
        Items: []Item{
            {Fruit: "APPLE", Amount: 5},
            {Fruit: "BANANA", Amount: 3},
        },
    }

    body, _ := json.Marshal(req)
    resp, _ := http.Post(
        "http://localhost:8000/workflows/shopping",
        "application/json",
        bytes.NewBuffer(body),
    )

    var result map[string]interface{}
    json.NewDecoder(resp.Body).Decode(&result)

    println("Result:", result["result"].(string))
}
