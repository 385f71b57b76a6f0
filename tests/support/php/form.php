<?php
// A contact form, as thousands of websites have it: mail() in its visitor's name.
$headers = ['From' => getenv('VISITOR') ?: 'Jan Peeters <jan@gmail.example>', 'X-Mailer' => 'form'];
if (getenv('CONTENT_TYPE')) {
    $headers['MIME-Version'] = '1.0';
    $headers['Content-Type'] = getenv('CONTENT_TYPE');
    $headers['Content-Transfer-Encoding'] = '8bit';
}
if (getenv('AS_TEXT')) {
    // As older scripts do it: PHP does not look for line ends in what is one text.
    $headers = 'From: ' . $headers['From'];
}
$sent = mail(getenv('TO') ?: 'info@example.org', getenv('SUBJECT') ?: 'A question', getenv('BODY') ?: "Good day,\nJan", $headers);
fwrite(STDOUT, $sent ? "sent\n" : "not sent\n");
