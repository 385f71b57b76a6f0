<?php
// PHPMailer, as the content management systems use it: SMTP with a login.
use PHPMailer\PHPMailer\PHPMailer;
require 'libphp-phpmailer/autoload.php';
$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = '127.0.0.1';
$mail->Port = (int) getenv('SMTP_PORT');
$mail->SMTPAuth = true;
$mail->Username = getenv('SMTP_USER');
$mail->Password = getenv('SMTP_PASSWORD');
$mail->SMTPSecure = getenv('SMTP_SECURE') === 'ssl' ? PHPMailer::ENCRYPTION_SMTPS : PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPOptions = ['ssl' => ['cafile' => getenv('SMTP_CA'), 'peer_name' => getenv('SMTP_NAME')]];
$mail->CharSet = 'utf-8';
$mail->Encoding = '8bit';
$mail->setFrom(getenv('VISITOR') ?: 'rene@gmail.example', 'René Peeters');
$mail->addAddress('info@example.org');
$mail->Subject = 'Een vraag over het café';
$mail->isHTML(true);
$mail->Body = '<p>Goedendag, <b>René</b></p>';
$mail->AltBody = 'Goedendag, René';
$mail->addStringAttachment(random_bytes(3000), 'Café.bin');
try {
    $mail->send();
    fwrite(STDOUT, "sent\n");
} catch (Exception $error) {
    fwrite(STDOUT, 'not sent: ' . $mail->ErrorInfo . "\n");
}
